// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

@testable import MenshenDaemon

/// A key command that several workers want to run.
struct KeyCommandsTests {
    private static let second: UInt64 = 1_000_000
    private static let source = KeySource.command(argv: ["x"], timeout: .seconds(1), lifetime: .seconds(10))

    @Test func `it runs once for all of them, and each has its key`() {
        let commands = KeyCommands()
        var runs = 0
        let rings = (0..<4).map { _ in
            KeyRing(credentialsDirectory: nil, commands: commands) { _, _, _ in runs += 1 }
        }
        func keys(_ now: UInt64) -> Set<String> {
            Set(
                rings.map { ring in
                    switch ring.key(0, Self.source, place: 0, now: now) {
                    case .ready(let secret): secret.map { "\($0.digest == Secret("good").digest)" } ?? "none"
                    case .pending: "pending"
                    case .stale, .failed: "failed"
                    }
                })
        }
        #expect(keys(1) == ["pending"] && runs == 1)
        #expect(rings.allSatisfy { $0.known([]).members.isEmpty })
        commands.ended(0, .success(Secret("good")), lifetime: .seconds(10), now: Self.second)
        #expect(keys(Self.second) == ["true"] && runs == 1)
        #expect(rings.allSatisfy { $0.known([]).members.map(\.digest) == [Secret("good").digest] }, "all mask it")
        #expect(keys(12 * Self.second) == ["true"] && runs == 2, "once more, when it has expired")
    }

    @Test func `a refused key has it run once for all of them`() {
        let commands = KeyCommands()
        var runs = 0
        let rings = (0..<4).map { _ in
            KeyRing(credentialsDirectory: nil, commands: commands) { _, _, _ in runs += 1 }
        }
        let refused = Secret("refused")
        _ = commands.key(0, now: 0)
        commands.ended(0, .success(refused), lifetime: .seconds(1000), now: 0)
        for ring in rings { _ = ring.keyAnew(0, Self.source, place: 0, refused: refused, now: 9 * Self.second) }
        #expect(runs == 1)
    }
}
