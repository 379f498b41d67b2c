// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import MenshenCore
import Synchronization
import TestSupport
import Testing

@testable import MenshenDaemon

/// `api_key_command_timeout`, which is over when the test says so.
struct KeyCommandTimeTests {
    @Test func `a command that does not end is killed with what it started`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("pids")
        try #require(mkfifo(path, 0o600) == 0)
        let script = "sleep 600 & echo $$ $! > \(path); wait; echo k"
        let asked = Mutex<[Duration]>([])
        let pids = Mutex("")
        let result = await withCheckedContinuation { continuation in
            KeyCommand.start(
                ["/bin/sh", "-c", script], timeout: .seconds(30),
                sleep: { time in
                    asked.withLock { $0.append(time) }
                    // Read when both run.
                    let text = TemporaryDirectory.read(path) ?? ""
                    pids.withLock { $0 = text }
                },
                ended: { continuation.resume(returning: $0) })
        }
        guard case .failure(let failure) = result else {
            Issue.record("it has given a key")
            return
        }
        #expect(failure.message.contains("api_key_command_timeout"))
        #expect(asked.withLock { $0 } == [.seconds(30)])
        let numbers = pids.withLock { $0 }.split { !$0.isNumber }
        #expect(numbers.count == 2)
        for number in numbers {
            // A killed child of another has no command line, even before it is waited for.
            #expect(TemporaryDirectory.read("/proc/\(number)/cmdline") ?? "" == "")
        }
    }

    @Test func `one that ends in time gives its key`() async throws {
        let result = await withCheckedContinuation { continuation in
            KeyCommand.start(
                ["/bin/echo", "key"], timeout: .seconds(30), sleep: { _ in try await Task.sleep(for: .seconds(600)) },
                ended: { continuation.resume(returning: $0) })
        }
        #expect(try result.get().digest == Secret("key").digest)
    }
}
