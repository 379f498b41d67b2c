// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
import Linux
import Testing

@Suite(.serialized) struct ProcessHardeningTests {
    @Test func `memory protection closes our own entries in proc to others`() throws {
        try ProcessHardening.protectMemory()
        #expect(ProcessHardening.isMemoryProtected)
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(4), &limit)  // RLIMIT_CORE
        #expect(limit.rlim_cur == 0 && limit.rlim_max == 0)
        var status = stat()
        stat("/proc/self/environ", &status)
        #expect(status.st_uid == 0)
    }

    @Test func `open files go up to the hard limit`() throws {
        let raised = try ProcessHardening.raiseOpenFiles()
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(7), &limit)  // RLIMIT_NOFILE
        #expect(limit.rlim_cur == limit.rlim_max)
        #expect(UInt(raised) == limit.rlim_max)
    }

    @Test func `a variable that was taken is gone`() {
        setenv("MENSHEN_TEST_VARIABLE", "a=b", 1)
        #expect(Environment.take("MENSHEN_TEST_VARIABLE") == "a=b")
        #expect(Environment.value("MENSHEN_TEST_VARIABLE") == nil)
        #expect(Environment.take("MENSHEN_TEST_VARIABLE") == nil)
    }
}
