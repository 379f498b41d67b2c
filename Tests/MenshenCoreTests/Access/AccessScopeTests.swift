// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Crypto
import HTTP
import MenshenCore
import Testing

@Suite struct AccessScopeTests {
    /// "one" has the alias `fast` for the dear model, and "two" asks for its own model whatever the caller says.
    private static let routes: RouteTable = {
        guard let base = BaseURL("http://127.0.0.1:9/v1") else { preconditionFailure("a plain base URL is refused") }
        func provider(_ name: String, _ change: (inout Provider) -> Void = { _ in }) -> Provider {
            var provider = Provider(name: name, kind: .openai, baseURL: base, key: .none)
            change(&provider)
            return provider
        }
        return RouteTable(providers: [
            provider("one") { $0.aliases = ["fast": "dear-1", "small": "cheap-2", "dear-9": "cheap-2"] },
            provider("two") { $0.model = "own" }, provider("three"),
        ])
    }()

    private static func scope(_ change: (inout Scope) -> Void) -> Scope {
        var scope = Scope()
        change(&scope)
        return scope
    }

    /// The names of the providers that are left, or why none is.
    private func ask(
        _ scope: Scope, _ path: String = "/v1/chat/completions", _ method: RequestHead.Method = .post, model: String?,
        fits: [Int] = [0, 1, 2], further: Bool = false, hasBody: Bool = true, isWebSocket: Bool = false
    ) -> [String] {
        let parts = path.split(separator: "?", maxSplits: 1)
        guard
            let target = RequestTarget(
                path: String(parts[0]), query: parts.count > 1 ? String(parts[1]) : nil,
                providerNames: Self.routes.names)
        else { return ["no target"] }
        let dialect = Dialect(path: target.plainPath)
        let facts = RequestFacts(dialect, path: target.plainPath)
        let outline = RequestOutline(
            target, Operation(dialect, path: target.plainPath), pathModel: facts.model, method: method,
            hasBody: hasBody,
            isWebSocket: isWebSocket)
        let token = AccessToken(name: "t", digest: Digest(of: []), scope: scope)
        let caller = CallerRecord(uid: nil, pid: nil, executable: nil, unit: nil, address: "127.0.0.1:1")
        guard let confines = Confines(Policy([]).permit(for: Principal(caller, token: token)), outline) else {
            return fits.map { Self.routes.providers[$0].name }
        }
        do throws(PolicyDenial) {
            try confines.judge()
            let early = try confines.narrow(fits, Self.routes, .awaited)
            return try confines.narrow(early, Self.routes, .told(facts.model ?? model, further: further)).map {
                Self.routes.providers[$0].name
            }
        } catch {
            let problem = error.problem
            #expect(problem.status == 403 && problem.message.hasPrefix("The token 't' "))
            return [String(problem.message.dropFirst("The token 't' ".count))]
        }
    }

    private static let cheap = scope { $0.models = [ModelPattern("cheap-*"), ModelPattern("small")] }

    @Test func `a scope of nothing forbids nothing`() {
        #expect(ask(.all, model: "dear-1") == ["one", "two", "three"])
        #expect(ask(.all, "/v1/batches", model: nil) == ["one", "two", "three"])
    }

    @Test func `both the caller's model and the one asked for in its place have to be allowed`() {
        #expect(ask(Self.cheap, model: "cheap-1") == ["one", "three"])
        #expect(ask(Self.cheap, model: "small") == ["one", "three"])
        #expect(ask(Self.cheap, model: "dear-1") == ["does not allow the model 'dear-1' (it allows: cheap-*, small)."])
        // Its replacement would be allowed.
        #expect(ask(Self.cheap, model: "dear-9") == ["does not allow the model 'dear-9' (it allows: cheap-*, small)."])
        let fast = Self.scope { $0.models = [ModelPattern("fast")] }
        #expect(
            ask(fast, model: "fast", fits: [0])
                == [
                    "does not allow the model 'dear-1', which provider 'one' is asked for in place of 'fast' (it allows: fast)."
                ])
        let both = Self.scope { $0.models = [ModelPattern("fast"), ModelPattern("dear-1")] }
        #expect(ask(both, model: "fast", fits: [0]) == ["one"])
    }

    @Test(arguments: ["Cheap-1", " cheap-1", "cheap", "xcheap-1", "cheap-1,dear-1", "cheap-1, dear-1", "cheap-1,"])
    func `a name that is nearly one is none`(model: String) {
        #expect(ask(Self.cheap, model: model).first?.hasPrefix("does not allow the model") == true)
    }

    @Test func `providers outside of the scope are no candidates`() {
        let one = Self.scope { $0.providers = ["one"] }
        #expect(ask(one, model: "m") == ["one"])
        #expect(ask(one, model: "m", fits: [1, 2]) == ["does not allow the provider 'two' (it allows: one)."])
        #expect(
            ask(one, "/two/v1/chat/completions", model: "m") == ["does not allow the provider 'two' (it allows: one)."])
        var narrow = Self.cheap
        narrow.providers = ["one", "two"]
        // What came further is told.
        #expect(
            ask(narrow, model: "cheap-1", fits: [1, 2]).first?.contains("model 'own', which provider 'two'") == true)
    }

    @Test func `paths and operations are judged as providers read them`() {
        let chat = Self.scope { ($0.paths, $0.operations) = ([ModelPattern("/v1/chat/*")], [.chat]) }
        for path in [
            "/v1/chat/completions", "/chat/completions", "/one/v1/chat/completions", "/v1/ch%61t/completions",
            "//v1/chat/completions",
        ] {
            #expect(ask(chat, path, model: "m").count == 3, "\(path)")
        }
        #expect(ask(chat, "/v1/files", model: nil) == ["does not allow the path '/v1/files' (it allows: /v1/chat/*)."])
        #expect(ask(chat, "/v1/chat/other", model: "m") == ["does not allow the operation 'other' (it allows: chat)."])
        #expect(ask(chat, "/x/v1/chat/completions", model: "m").first?.hasPrefix("does not allow the path") == true)
    }

    @Test(
        arguments: [
            ("/v1/models", .get), ("/v1/responses/resp_1", .get), ("/v1/responses/resp_1", .delete),
            ("/v1/batches", .get),
            ("/v1/files", .post), ("/v1beta/models", .get), ("/v1/threads/x", .get),
        ] as [(String, RequestHead.Method)])
    func `what asks no model for anything need not name one`(path: String, method: RequestHead.Method) {
        #expect(ask(Self.cheap, path, method, model: nil) == ["one", "two", "three"])
    }

    @Test(arguments: [
        ("/v1/chat/completions", "the request names none"), ("/v1/responses", "the request names none"),
        ("/v1/batches", "a batch"), ("/v1/messages/batches", "a batch"), ("/v1/realtime/client_secrets", "session"),
        ("/v1/threads/t/runs", "not known"), ("/v1/models/owner/dear-1/predictions", "not known"),
        ("/v1/engines/dear-1/completions", "not known"), ("/v1/fine_tuning/jobs", "not known"),
        // A mark that makes one character of itself and the slash.
        ("/v1/engines/%CC%81dear-1/completions", "not known"),
        ("/v1/openai/deployments/dear-1/chat/completions", "not known"), ("/files/v1/chat/completions", "not known"),
    ])
    func `what may ask any model without saying which is refused`(path: String, reason: String) {
        let answer = ask(
            Self.cheap, path,
            model: path.hasSuffix("/completions") && path.count > 24 || path.contains("owner") ? "cheap-1" : nil)
        #expect(
            answer.first?.hasPrefix("allows only some models, and ") == true && answer.first?.contains(reason) == true,
            "\(answer)")
    }

    @Test func `whoever names an unknown operation vouches for the body's word`() {
        var scope = Self.cheap
        scope.operations = [.other]
        #expect(ask(scope, "/v1/rerank", model: "cheap-1", fits: [0]) == ["one"])
        #expect(ask(scope, "/v1/rerank", model: "dear-1", fits: [0]).first?.contains("'dear-1'") == true)
        #expect(ask(scope, "/v1/rerank", model: nil, fits: [0]).first?.contains("names none") == true)
        // Lists of models are to be had by that name, and no more.
        scope.operations = [.models]
        #expect(ask(scope, "/v1/models", .get, model: nil).count == 3)
        #expect(ask(scope, "/models/owner/dear-1", model: "cheap-1").first?.contains("not known") == true)
    }

    @Test(arguments: [
        "/v1beta/models/dear-1:generateContent", "/v1beta/models/dear-1:streamGenerateContent?alt=sse",
        "/model/dear-1/converse", "/model/d%65ar-1/invoke", "/openai/deployments/dear-1/chat/completions?api-version=1",
        "/v1/projects/p/locations/l/publishers/anthropic/models/dear-1:rawPredict",
        "/v1beta/models/d%65ar-1:generateContent",
    ])
    func `a model in the path is judged, whatever the body says`(path: String) {
        #expect(ask(Self.cheap, path, model: "cheap-1").first?.hasPrefix("does not allow the model 'dear-1'") == true)
        let allowed = path.replacing("dear", with: "cheap").replacing("d%65ar", with: "ch%65ap")
        #expect(ask(Self.cheap, allowed, model: nil, fits: [2]) == ["three"])
    }

    @Test func `further models, in the body or in the query, are no way around`() {
        #expect(ask(Self.cheap, model: "cheap-1", further: true).first?.contains("names further ones") == true)
        #expect(
            ask(Self.cheap, "/v1/chat/completions?model=dear-1", model: "cheap-1").first?.contains("'dear-1'") == true)
        #expect(ask(Self.cheap, "/v1/x?deployment=dear-1", .get, model: nil).first?.contains("'dear-1'") == true)
    }

    @Test func `a WebSocket whose messages name models is refused, and one whose query does is judged`() {
        #expect(ask(Self.cheap, "/v1/realtime", .get, model: "cheap-1", fits: [0], isWebSocket: true) == ["one"])
        #expect(
            ask(Self.cheap, "/v1/realtime", .get, model: "dear-1", isWebSocket: true).first?.contains("'dear-1'")
                == true)
        for path in ["/v1/responses", "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"] {
            #expect(
                ask(Self.cheap, path, .get, model: "cheap-1", isWebSocket: true).first?.contains("in its messages")
                    == true)
        }
    }

    @Test func `work may be called off without naming its model`() {
        #expect(ask(Self.cheap, "/v1/responses/r/cancel", model: nil, hasBody: false).count == 3)
        #expect(ask(Self.cheap, "/v1/responses/r/cancel", model: nil).first?.contains("names none") == true)
    }
}
