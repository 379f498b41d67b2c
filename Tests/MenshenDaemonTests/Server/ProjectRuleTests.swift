// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Linux
import MenshenCore
import TestSupport
import Testing

@testable import MenshenDaemon

/// Rules that go by the caller's project, which is found beside the request, by a clock that the test turns.
struct ProjectRuleTests {
    private static func rules() -> [CallerRule] {
        var notes = CallerRule()
        notes.name = "notes"
        notes.projects = [ModelPattern("notes")]
        notes.scope.models = [ModelPattern("cheap")]
        var rest = CallerRule()
        rest.name = "rest"
        return [notes, rest]
    }

    /// A directory whose search waits for the gate, and ends with `root`.
    private final class Search: Sendable {
        private let gate = ThreadSignal()
        let finder: ProjectFinder

        init(_ root: String?) {
            let gate = gate
            finder = ProjectFinder(home: nil) { directory, _, _ in
                if directory == "/last" { return nil }
                gate.wait(10_000_000)
                return root
            }
        }

        /// One search at a time: once a later one has ended, those before it have.
        func end(in scene: WorkerScene) throws {
            gate.post()
            let last = try #require(finder.project(of: "/last", owner: 1, now: 0))
            try scene.until("the end of the search") { last.standing == .known ? true : nil }
        }

        func open() { gate.post() }
    }

    private static func scene(_ search: Search) throws -> WorkerScene {
        try WorkerScene(providers: ["a"], projects: search.finder) { $0.callers = rules() }
    }

    private static let path = "/v1/chat/completions"
    private static func chat(_ model: String) -> String { "{\"model\":\"\(model)\",\"messages\":[]}" }

    @Test func `a request waits for the project, with its body, and is judged by it`() throws {
        let search = Search("/src/notes")
        let scene = try Self.scene(search)
        let caller = try scene.call()
        try caller.ask("POST", Self.path, body: Self.chat("dear"))
        for _ in 0..<20 { try scene.pass(0.01) }
        #expect(caller.hearsNothing)
        // A page of menshen's own is not subject to rules.
        let other = try scene.ask("GET", "/_menshen/health")
        #expect(try scene.answer(to: other).hasPrefix("HTTP/1.1 200 "))
        try search.end(in: scene)
        try scene.pass(0.01)
        let refused = try scene.answer(to: caller)
        #expect(refused.hasPrefix("HTTP/1.1 403 ") && refused.contains("The rule 'notes' of [[callers]]"), "\(refused)")
        // What was found counts for the connection's next request at once.
        try caller.ask("POST", Self.path, body: Self.chat("cheap"))
        try scene.pass(0)
        let provider = try scene.accept()
        #expect(try scene.hear(provider, until: "cheap").contains(Self.path))
        try provider.reply(200, "{}")
        #expect(try scene.answer(to: caller).hasPrefix("HTTP/1.1 200 "))
    }

    @Test func `a directory that hangs is waited for a second, and the request refused`() throws {
        let search = Search(nil)
        defer { search.open() }
        let scene = try Self.scene(search)
        let caller = try scene.call()
        try caller.ask("POST", Self.path, body: Self.chat("dear"))
        for _ in 0..<9 { try scene.pass(0.1) }
        #expect(caller.hearsNothing)
        try scene.pass(0.2)
        let answer = try scene.answer(to: caller)
        #expect(answer.hasPrefix("HTTP/1.1 503 ") && answer.contains("x-should-retry: true"), "\(answer)")
        #expect(answer.contains("denied_by_policy") && answer.contains("the repository that the caller works in"))
        #expect(try scene.isUnasked(0))
    }

    @Test func `a caller in no repository falls under the next rule, and one that leaves is forgotten`() throws {
        let search = Search(nil)
        let scene = try Self.scene(search)
        let leaver = try scene.call(), caller = try scene.call()
        for one in [leaver, caller] {
            try one.ask("POST", Self.path, body: Self.chat("dear"))
            try scene.pass(0.01)
        }
        leaver.wire.close()
        try scene.pass(0.01)
        try search.end(in: scene)
        try scene.pass(0.01)
        let provider = try scene.accept()
        #expect(try scene.hear(provider, until: "dear").contains(Self.path))
        try provider.reply(200, "{}")
        #expect(try scene.answer(to: caller).hasPrefix("HTTP/1.1 200 "))
        #expect(try scene.isUnasked(0))
        #expect(try scene.records().map(\.endState).sorted() == ["client_gone", "complete"])
    }
}
