// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import MenshenCore
import Testing

@testable import MenshenStore

struct DatabaseLockTests {
    private let scratch = Scratch()

    /// What the process has open under that path.
    private func descriptor(of path: String) -> Int32? {
        (3..<4096).first { number in
            guard let target = realpath("/proc/self/fd/\(number)", nil) else { return false }
            defer { free(target) }
            return String(cString: target) == path
        }
    }

    @Test func `a child that is being started does not keep it`() throws {
        let path = scratch("menshen.db")
        var lock: DatabaseLock? = try DatabaseLock(path)
        #expect(throws: StoreFault.self) { try DatabaseLock(path) }
        // A child has all descriptors until it runs its program, and a descriptor's copy is the same open file.
        let copy = dup(try #require(descriptor(of: path + ".lock")))
        defer { close(copy) }
        lock = nil
        #expect(lock == nil)
        _ = try DatabaseLock(path)
    }
}
