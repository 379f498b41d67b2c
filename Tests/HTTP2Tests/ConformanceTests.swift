// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP2
import TestSupport
import Testing

/// What h2spec tries on servers, tried on this client: the frames that a section of RFC 9113 or RFC 7541 is about, and what
/// comes of them. Streams' windows, their number and answers before a request's end stand in `SessionTests`, floods in
/// `HostileTests`.
struct ConformanceTests {
    /// What a peer does to a connection whose streams 1 and 3 have been asked for.
    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let outcome: String
        let act: @Sendable (FramePeer) -> Void

        init(_ section: String, _ name: String, _ outcome: String, _ act: @escaping @Sendable (FramePeer) -> Void) {
            testDescription = "\(section) \(name)"
            self.outcome = outcome
            self.act = act
        }
    }

    @Test(arguments: frames + connection + streams + compression)
    func `what h2spec tries`(attempt: Case) throws {
        let line = try Line()
        let (victim, other) = (try line.ask(), try line.ask())
        attempt.act(line.peer)
        // Nothing but the answer to the other stream follows.
        let outcome = try outcome(line, victim, other)
        #expect(outcome == attempt.outcome)
    }

    @Test func `the peer's windows are kept to, and a new size of them counts for what is open`() throws {
        let line = try Line()
        line.peer.settings([(4, 3)])
        try line.pass()
        _ = try line.ask(body: [UInt8](repeating: 7, count: 10))
        func sent() -> [Int] { line.log.filter { $0.kind == .data }.map(\.payload.count) }
        #expect(sent() == [3])
        line.peer.settings([(4, 0)])
        line.peer.window(1, 2)
        try line.pass()
        _ = try line.frames()
        #expect(sent() == [3], "it is -1 by now")
        line.peer.window(1, 3)
        try line.pass()
        _ = try line.frames()
        #expect(sent() == [3, 2])
        line.peer.settings([(4, 100)])
        try line.pass()
        _ = try line.frames()
        #expect(sent() == [3, 2, 5])
    }

    private func outcome(_ line: Line, _ victim: Hearing, _ other: Hearing) throws -> String {
        do {
            try line.pass()
            line.peer.head(3)
            line.peer.data(3, "well", isEnd: true)
            try line.pass()
        } catch {
            line.session.end()
            #expect(victim.events.last?.hasPrefix("broke: ") == true && other.events.last == "broke: lost")
            return "the connection ends: \(error)"
        }
        let frames = try line.frames()
        if let last = frames.first(where: { $0.kind == .goAway && $0.number != 0 }) {
            #expect(line.session.isOver)
            line.session.end()
            #expect(other.events.last?.hasPrefix("broke: ") == true)
            return "connection error \(ErrorCode(rawValue: UInt32(last.number)))"
        }
        #expect(other.events == [":status: 200", "fields", "data", "ended"], "the connection lives")
        if let reset = frames.first(where: { $0.kind == .reset }) {
            #expect(reset.stream == 1 && victim.events.last?.hasPrefix("broke: invalid") == true, "\(victim.events)")
            return "stream error \(ErrorCode(rawValue: UInt32(reset.number)))"
        }
        let said = frames.filter { $0.kind != .windowUpdate && $0.kind != .goAway }.map { "\($0.kind)" }
        return (victim.events.last ?? "nothing") + (said.isEmpty ? "" : ", and says \(said.joined(separator: " "))")
    }
}
