// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import MenshenCore
import Synchronization
import TestSupport
import Testing

@testable import MenshenDaemon

/// `api_key_command_timeout`, which is over when the test says so.
struct KeyProgramTimeTests {
    @Test func `a command that does not end is killed with what it started`() async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("lives")
        try #require(mkfifo(path, 0o600) == 0)
        // Each of them holds its end open as long as it lives.
        let script = "exec 3> \(path); sleep 600 & echo >&3; wait; echo k"
        let asked = Mutex<[Duration]>([])
        let lives = Mutex<Int32>(-1)
        let result = await withCheckedContinuation { continuation in
            KeyProgram.start(
                ["/bin/sh", "-c", script], timeout: .seconds(30),
                sleep: { time in
                    asked.withLock { $0.append(time) }
                    let end = open(path, O_RDONLY | O_CLOEXEC)
                    var line: UInt8 = 0
                    _ = read(end, &line, 1)
                    lives.withLock { $0 = end }
                },
                ended: { continuation.resume(returning: $0) })
        }
        guard case .failure(let failure) = result else {
            Issue.record("it has given a key")
            return
        }
        #expect(failure.message.contains("api_key_command_timeout"))
        #expect(asked.withLock { $0 } == [.seconds(30)])
        let end = lives.withLock { $0 }
        defer { close(end) }
        var polls = [pollfd(fd: end, events: Int16(POLLIN), revents: 0)]
        poll(&polls, 1, Signal.patience)
        #expect(polls[0].revents & Int16(POLLHUP) != 0, "one of them lives on")
    }

    @Test func `one that ends in time gives its key`() async throws {
        let result = await withCheckedContinuation { continuation in
            KeyProgram.start(
                ["/bin/echo", "key"], timeout: .seconds(30), sleep: { _ in try await Task.sleep(for: .seconds(600)) },
                ended: { continuation.resume(returning: $0) })
        }
        #expect(try result.get().digest == Secret("key").digest)
    }
}
