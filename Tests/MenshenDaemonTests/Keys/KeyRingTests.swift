// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import TestSupport
import Testing

@testable import MenshenDaemon

/// How long a key outlives its source, by a clock that the test turns.
struct KeyRingTests {
    private static let second: UInt64 = 1_000_000

    private func text(_ lookup: KeyRing.Lookup) -> String {
        switch lookup {
        case .ready(let secret): secret.map { "ready \(bytes($0))" } ?? "none"
        case .stale(let secret, _): "stale \(bytes(secret))"
        case .pending: "pending"
        case .failed: "failed"
        }
    }

    private func bytes(_ secret: Secret) -> String {
        var bytes: [UInt8] = []
        secret.append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test(arguments: ["removed", "empty", "open to others", "quoted"])
    func `a key whose file has become unusable serves for a minute and no longer`(fault: String) throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("key", "good")
        let ring = KeyRing(credentialsDirectory: nil) { _, _, _ in }
        func key(_ seconds: UInt64) -> String {
            text(ring.key(0, .file(path: path), place: 0, now: 100 * Self.second + seconds * Self.second))
        }
        #expect(key(0) == "ready good")
        switch fault {
        case "removed": directory.remove("key")
        case "empty": try directory.write("key", "")
        case "open to others": try directory.changeMode("key", 0o644)
        default: try directory.write("key", "\"good\"")
        }
        // From when it is noticed, not from when the key was read.
        #expect(key(500) == "stale good" && key(559) == "stale good")
        #expect(ring.trouble(0, .file(path: path)) != nil)
        #expect(key(560) == "failed" && key(10_000) == "failed")
        directory.remove("key")
        try directory.write("key", "next")
        #expect(key(10_001) == "ready next")
        #expect(ring.trouble(0, .file(path: path)) == nil)
        directory.remove("key")
        #expect(key(10_002) == "stale next", "another minute")
    }

    @Test func `so does a key whose command fails, and the next takes its place`() throws {
        let commands = KeyCommands()
        let ring = KeyRing(credentialsDirectory: nil, commands: commands) { _, _, _ in }
        let source = KeySource.command(argv: ["x"], timeout: .seconds(1), lifetime: .seconds(10))
        func key(_ seconds: UInt64) -> String { text(ring.key(0, source, place: 0, now: seconds * Self.second)) }
        func end(_ result: Result<Secret, KeyCommandFailure>, _ seconds: UInt64) {
            commands.ended(0, result, lifetime: .seconds(10), now: seconds * Self.second)
        }
        #expect(key(1) == "pending")
        end(.success(Secret("good")), 1)
        #expect(key(2) == "ready good" && key(20) == "ready good")
        end(.failure(KeyCommandFailure(message: "no")), 20)
        #expect(key(21) == "stale good" && key(79) == "stale good")
        end(.failure(KeyCommandFailure(message: "no")), 79)
        #expect(key(80) == "failed")
        #expect(key(90) == "pending", "it is asked again")
        end(.success(Secret("next")), 91)
        #expect(key(92) == "ready next")
        let known = ring.known([]).members.map(\.digest)
        #expect(known == [Secret("next").digest], "nothing keeps the earlier one")
    }
}
