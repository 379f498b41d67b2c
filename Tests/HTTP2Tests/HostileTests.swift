// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP2
import TestSupport
import Testing

/// Providers that use up what the protocol leaves them; what they may not do at all is in `ConformanceTests`.
struct HostileTests {
    /// What a peer does.
    struct Attack: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let act: @Sendable (FramePeer) -> Void

        init(_ name: String, _ act: @escaping @Sendable (FramePeer) -> Void) {
            testDescription = name
            self.act = act
        }
    }

    @Test func `the limit of fields is that of each head, and is told from other faults`() throws {
        let line = try Line()
        let hearing = try line.ask()
        let value = String(repeating: "a", count: 30 << 10)
        line.peer.head(1, 103, [("a", value), ("b", value)])
        line.peer.head(1, 200, [("a", value), ("b", value)])
        try line.pass()
        #expect(hearing.events == [":status: 103", "fields", ":status: 200", "fields"])
        line.peer.headers(1, [("a", value), ("b", value), ("c", value)], isEnd: true)
        try line.pass()
        #expect(hearing.events.last == "broke: invalid(HTTP2.Stream.Fault.tooLarge)")
    }

    @Test func `a field that its reader refuses ends the stream alone`() throws {
        let line = try Line()
        let hearing = try line.ask()
        hearing.refusedName = "x"
        line.peer.head(1, 200, [("x", "y")])
        try line.pass()
        #expect(hearing.events.last == "broke: invalid(HTTP2.Stream.Fault.unwanted)")
        #expect(try line.frames().map(\.kind) == [.reset])
    }

    @Test(arguments: [
        Attack(
            "CONTINUATION without end",
            { peer in
                peer.frame(.headers, 0, 1, peer.block([(":status", "200")]))
                for _ in 0..<10_000 { peer.frame(.continuation, 0, 1) }
            }),
        Attack("PING without end", { peer in for _ in 0..<10_000 { peer.ping() } }),
        Attack("SETTINGS without end", { peer in for _ in 0..<10_000 { peer.settings([(4, 65_535)]) } }),
    ])
    func `a flood is ended`(attack: Attack) throws {
        let line = try Line()
        _ = try line.ask()
        attack.act(line.peer)
        #expect(throws: HTTP2Error.self) { try line.pass() }
    }

    @Test func `a thousand requests that are refused cost nothing that stays`() throws {
        let line = try Line()
        for number in 0..<1000 {
            let hearing = try line.ask()
            line.peer.reset(2 * number + 1, 7)
            try line.pass()
            #expect(hearing.events == ["broke: refused"])
        }
        #expect(line.session.count == 0 && !line.session.isOver)
    }
}
