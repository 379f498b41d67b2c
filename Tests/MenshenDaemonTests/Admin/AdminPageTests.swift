// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import MenshenStore
import Testing

@testable import HTTP
@testable import MenshenDaemon

/// menshen's own pages without a connection: which action a request finds, what it reads, and how often it runs.
@Suite struct AdminPageTests {
    /// Stands in for an exchange.
    private final class Caller: AdminCaller {
        var head = RequestHead()
        var isWell = true
        var token: AccessToken?
        var ownPots: ([PotState], ZoneRules) { ([], .utc) }
        var answers: [LocalAnswer] = []
        var statusAsked = 0

        init(_ method: RequestHead.Method, length: Int? = nil) {
            head.method = method
            head.framing = length.map { .fixed($0) } ?? .none
        }

        var texts: [String] { answers.map { String(decoding: $0.body, as: UTF8.self) } }

        var totals = RequestTally.Totals()

        func withStatus(_ requests: StatusSnapshot.Requests, _ render: @escaping (StatusSnapshot) -> LocalAnswer) {
            statusAsked += 1
        }
        func metrics(_ format: MetricText.Format) -> [UInt8] { [] }
        func showDashboard() {}
        func followChanges() {}
        func clearCache(_ render: @escaping (Int) -> LocalAnswer) {}
        func answer(page answer: LocalAnswer) { answers.append(answer) }
        func query(_ name: String) -> String? { nil }
        func perform(_ act: TokenAct, _ render: @escaping (TokenOutcome) -> LocalAnswer) { acts.append(act) }
        func withTokens(_ render: @escaping ([GivenToken]) throws(Problem) -> LocalAnswer) { listsAsked += 1 }
        var acts: [TokenAct] = []
        var listsAsked = 0
        var configuredTokens: [String] = []
        var configuredProviders = ["openai"]
        func record(_ act: KeyAct, _ render: @escaping () -> LocalAnswer) { keyActs.append(act) }
        var keyActs: [KeyAct] = []
    }

    /// Takes what it is sent, as a page that makes something would.
    private static let echo = AdminPage(
        "/_menshen/echo", access: .signedIn,
        [
            AdminPage.Action(.get) { caller, _ in caller.answer(page: LocalAnswer(status: 200, fields: [])) },
            AdminPage.Action(.post, bodyLimit: 8) { (caller, body) throws(Problem) in
                if body.isEmpty { throw Problem(.malformedRequest, status: 400, "There is no body.") }
                caller.answer(page: LocalAnswer(status: 201, fields: [], body: body))
            },
        ])

    private func page(_ path: String) throws -> AdminPage? {
        AdminPage.at(try #require(RequestTarget(path: path, query: nil, providerNames: ["openai"])))
    }

    private func send(_ text: String, to request: AdminRequest) throws(Problem) {
        let bytes = Array(text.utf8)
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(Problem) in try request.receive(bytes) }
        }
        try result.get()
    }

    @Test func `the table knows the paths, and nothing else below _menshen is a provider's`() throws {
        #expect(try page("/") == .home)
        #expect(try page("/_menshen/health") == .health && page("/api/hello") == .health)
        #expect(try page("/_menshen/status") == .status)
        #expect(try page("/_menshen/keys") == .unknown && page("/_menshen") == .unknown)
        #expect(try page("/v1/models") == nil && page("/openai/_menshen/status") == nil)
        #expect(try page("/_menshen/ui/") == .dashboard && page("/_menshen/ui/assets/x.css") == .assets)
        #expect(try page("/_menshen/ui/changes") == .changes && page("/_menshen/ui/live") == .dashboard)
        #expect(AdminPage.all.filter { $0.access == .everybody } == [.home, .health])
    }

    @Test func `every page that answers GET answers HEAD alike, and says which methods it has`() throws {
        #expect(AdminPage.cache.methods == "POST")
        for page in AdminPage.all + [AdminPage.changes, Self.echo] where page != .cache {
            #expect(try page.action(for: .head).method == .get)
            #expect(page.methods.hasPrefix("GET, HEAD"))
        }
        #expect(Self.echo.methods == "GET, HEAD, POST")
        #expect(throws: Problem(.methodNotAllowed, status: 405, "This page only answers GET.")) {
            try AdminPage.home.action(for: .post)
        }
        #expect(throws: Problem(.methodNotAllowed, status: 405, "This page only answers GET and POST.")) {
            try Self.echo.action(for: .delete)
        }
    }

    @Test func `what tells menshen to do something is read whole, and by the letter`() throws {
        let caller = Caller(.post, length: 37)
        let request = try AdminRequest(.tokens, .post)
        try request.begin(isWhole: false, caller)
        try send(#"{"act":"revoke","#, to: request)
        #expect(caller.acts.isEmpty)
        try send(#""name":"ci"}"#, to: request)
        try request.bodyEnded(caller)
        #expect(caller.acts.map(\.name) == ["ci"] && caller.acts.map(\.verb) == ["revoke"])
        let empty = try AdminRequest(.tokens, .post)
        #expect(throws: Problem.self) { try empty.begin(isWhole: true, Caller(.post)) }
        let long = try AdminRequest(.tokens, .post)
        #expect(throws: Problem.self) { try long.begin(isWhole: false, Caller(.post, length: (16 << 10) + 1)) }
        try AdminRequest(.tokens, .get).begin(isWhole: true, caller)
        #expect(caller.listsAsked == 1)
    }

    @Test func `a page that is not there names those that are`() throws {
        let caller = Caller(.get)
        let request = try AdminRequest(.unknown, .get)
        let problem = #expect(throws: Problem.self) { try request.begin(isWhole: true, caller) }
        let names = "health,status,metrics,usage,ui"
        #expect(problem?.message == "There is no such page. menshen's own are / and /_menshen/{\(names)}.")
    }

    @Test func `health says whether the configuration is usable`() throws {
        let caller = Caller(.head)
        for isWell in [true, false] {
            caller.isWell = isWell
            let request = try AdminRequest(.health, .head)
            try request.begin(isWhole: true, caller)
        }
        #expect(caller.answers.map(\.status) == [200, 503])
        #expect(caller.texts == ["{\"status\":\"ok\"}\n", "{\"status\":\"configuration broken\"}\n"])
    }

    @Test func `a page that reads no body runs once, at the head, whatever follows`() throws {
        let caller = Caller(.get, length: 1 << 20)
        let request = try AdminRequest(.status, .get)
        try request.begin(isWhole: false, caller)
        #expect(!request.isGathering)
        try send("more than any page reads", to: request)
        try request.bodyEnded(caller)
        #expect(caller.statusAsked == 1 && caller.answers.isEmpty)
    }

    @Test func `an action gets its body whole, in however many pieces it comes`() throws {
        let caller = Caller(.post, length: 8)
        let request = try AdminRequest(Self.echo, .post)
        try request.begin(isWhole: false, caller)
        for piece in ["ab", "cdef", "gh"] {
            #expect(request.isGathering && caller.answers.isEmpty)
            try send(piece, to: request)
        }
        try request.bodyEnded(caller)
        #expect(caller.answers.map(\.status) == [201] && caller.texts == ["abcdefgh"])
        try request.bodyEnded(caller)
        #expect(caller.answers.count == 1)
    }

    @Test func `a body above the page's limit is refused, at its head where that tells`() throws {
        let caller = Caller(.post, length: 9)
        let request = try AdminRequest(Self.echo, .post)
        let early = #expect(throws: Problem.self) { try request.begin(isWhole: false, caller) }
        #expect(early?.status == 413 && early?.message.contains("at most 8 bytes") == true)
        let chunked = Caller(.post)
        chunked.head.framing = .chunked
        let other = try AdminRequest(Self.echo, .post)
        try other.begin(isWhole: false, chunked)
        try send("12345678", to: other)
        #expect(throws: Problem.self) { try send("9", to: other) }
        #expect(chunked.answers.isEmpty)
    }

    @Test func `a problem of the action goes to the caller`() throws {
        let caller = Caller(.post)
        let request = try AdminRequest(Self.echo, .post)
        #expect(throws: Problem(.malformedRequest, status: 400, "There is no body.")) {
            try request.begin(isWhole: true, caller)
        }
    }
}
