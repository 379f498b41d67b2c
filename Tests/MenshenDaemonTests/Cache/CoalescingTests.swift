// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Synchronization
import TestSupport
import Testing

/// Requests for the same that are under way together (`cache.coalesce`).
struct CoalescingTests {
    private static let body = #"{"model":"m","messages":[]}"#
    private static let fields = ["Content-Type: application/json"]

    private static func setting(_ coalesce: Bool) -> Stage.Setting {
        .with { $0.tables = "[cache]\nenable = true\nmax_age = \"1h\"\ncoalesce = \(coalesce)" }
    }

    private func start(_ stage: Stage) throws -> RawClient {
        let caller = try stage.caller()
        try caller.request("POST", "/v1/chat/completions", Self.fields, body: Self.body)
        return caller
    }

    /// Returns when the daemon has taken up all that was sent to it before.
    private func settle(_ stage: Stage) throws {
        _ = try stage.ask("GET", "/_menshen/status")
        _ = try stage.ask("GET", "/_menshen/status")
    }

    @Test func `they share one call to the provider`() throws {
        let go = try Signal()
        let calls = Atomic<Int>(0)
        try Stage.run(Self.setting(true)) { call in
            calls.add(1, ordering: .relaxed)
            try go.wait("the others")
            try call.reply(body: #"{"n":1}"#)
        } _: { stage throws in
            let callers = try (0..<5).map { _ in try start(stage) }
            try settle(stage)
            go.raise()
            let answers = try callers.map { try $0.answer(to: "POST") }
            #expect(answers.allSatisfy { $0.text == #"{"n":1}"# })
            #expect(answers.filter { $0["X-Cache"] == "MISS" }.count == 1)
            #expect(answers.filter { $0["X-Cache"] == "HIT" }.count == 4)
            #expect(calls.load(ordering: .relaxed) == 1)
            #expect(try stage.records().filter { $0.cache == "hit" && $0.cacheSource != nil }.count == 4)
        }
    }

    @Test func `without the setting each makes its own`() throws {
        let second = try Signal()
        let calls = Atomic<Int>(0)
        try Stage.run(Self.setting(false)) { call in
            if calls.add(1, ordering: .relaxed).newValue == 2 { second.raise() } else { try second.wait("the other") }
            try call.reply(body: "{}")
        } _: { stage throws in
            let callers = try (0..<2).map { _ in try start(stage) }
            for caller in callers { #expect(try caller.answer(to: "POST").status == 200) }
            #expect(stage.upstream.requests.count == 2)
        }
    }

    @Test func `one that fails fails alone, and the others ask for themselves`() throws {
        let go = try Signal()
        let calls = Atomic<Int>(0)
        try Stage.run(Self.setting(true)) { call in
            if calls.add(1, ordering: .relaxed).newValue == 1 {
                try go.wait("the others")
                return try call.reply(400, body: "{}")
            }
            try call.reply(body: #"{"n":2}"#)
        } _: { stage throws in
            let callers = try (0..<3).map { _ in try start(stage) }
            try settle(stage)
            go.raise()
            #expect(try callers.map { try $0.answer(to: "POST").status }.sorted() == [200, 200, 400])
            #expect(calls.load(ordering: .relaxed) == 3)
        }
    }

    @Test func `when the one leaves, another takes its place`() throws {
        let begun = try Signal()
        let go = try Signal()
        let calls = Atomic<Int>(0)
        try Stage.run(Self.setting(true)) { call in
            if calls.add(1, ordering: .relaxed).newValue == 1 {
                begun.raise()
                return try call.waitForEnd()
            }
            try go.wait("the second")
            try call.reply(body: #"{"n":2}"#)
        } _: { stage throws in
            let leader = try start(stage)
            try begun.wait("the first")
            let followers = try (0..<3).map { _ in try start(stage) }
            let leaving = try start(stage)
            try settle(stage)
            leaving.wire.close()
            leader.wire.close()
            go.raise()
            let answers = try followers.map { try $0.answer(to: "POST") }
            #expect(answers.allSatisfy { $0.text == #"{"n":2}"# })
            #expect(calls.load(ordering: .relaxed) == 2)
            #expect(try stage.records().filter { $0.endState == "client_gone" }.count == 2)
        }
    }

    @Test func `when the one takes nothing of its answer, another takes its place`() throws {
        let calls = Atomic<Int>(0)
        let piece = String(repeating: " ", count: 64 << 10)
        var setting = Self.setting(true)
        // Who waits for a place, or an answer, waits for its caller half of that at most.
        setting.provider = "queue_timeout = \"1s\""
        let begun = try Signal()
        try Stage.run(setting) { call in
            guard calls.add(1, ordering: .relaxed).newValue == 1 else { return try call.reply(body: #"{"n":2}"#) }
            try call.beginStream(["Content-Type: application/json"])
            begun.raise()
            while (try? call.chunk(piece)) != nil {}
            call.close()
        } _: { stage throws in
            let leader = try start(stage)
            try begun.wait("the first")
            #expect(try start(stage).answer(to: "POST").text == #"{"n":2}"#)
            leader.wire.close()
        }
    }
}
