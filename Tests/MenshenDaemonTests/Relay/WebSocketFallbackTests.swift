// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

/// What a caller that tries a WebSocket first hears of a provider that has none.
struct WebSocketFallbackTests {
    private func ask(_ stage: Stage, _ target: String = "/v1/responses") throws -> Answer {
        let caller = try stage.caller()
        try caller.askForWebSocket(target)
        return try caller.answer()
    }

    private func expectFallback(_ answer: Answer) {
        #expect((answer.status, answer.problem) == (426, "no_websocket"))
        #expect(answer["Upgrade"] == "websocket" && answer["x-should-retry"] == "false")
        #expect(answer.head.all("Connection") == ["Upgrade", "close"])
        #expect(answer.text.contains("over plain HTTP") && answer.text.contains(#""code":"no_websocket""#))
    }

    @Test(arguments: [404, 405, 426, 501, 200])
    func `a provider that has shown that it has none is asked once, and its callers go on without`(status: Int) throws {
        // Another worker may have the next request.
        try Stage.run(.with { $0.tables = "[server]\nworkers = 2" }) {
            try $0.reply(status, body: "{\"detail\":\"none of yours\"}")
        } _: { stage throws in
            for _ in 0..<4 { expectFallback(try ask(stage)) }
            #expect(stage.upstream.requests.count == 1)
            // Plain requests, and other paths, are the provider's as before.
            #expect(try stage.ask("POST", "/v1/responses", body: "{}").text.contains("none of yours"))
            #expect(try ask(stage, "/v1/realtime?model=a").text.contains("none of yours"))
            #expect(try ask(stage, "/v1/realtime?model=a").text.contains("none of yours"))
            #expect(stage.upstream.requests.count == 4)
            let rows = try stage.records()
            let refused = rows.filter { $0.path == "/v1/responses" && $0.method == "GET" }
            #expect(refused.allSatisfy { ($0.status, $0.endState, $0.problem) == (426, "refused", "no_websocket") })
            #expect(refused.first?.attempts == ["openai \(status) no_websocket"])
        }
    }

    @Test func `a reload asks again`() throws {
        try Stage.run {
            try $0.reply(404)
        } _: { stage throws in
            expectFallback(try ask(stage))
            try stage.daemon.reload()
            expectFallback(try ask(stage))
            #expect(stage.upstream.requests.count == 2)
        }
    }

    @Test(arguments: [(400, "{}"), (403, "")])
    func `what may mean something else is believed for one request`(status: Int, body: String) throws {
        try Stage.run {
            try $0.reply(status, body: body)
        } _: { stage throws in
            for _ in 0..<2 { expectFallback(try ask(stage)) }
            #expect(stage.upstream.requests.count == 2)
        }
    }

    @Test(arguments: [401, 403, 429, 500, 503])
    func `what concerns the key or the load is the provider's word`(status: Int) throws {
        try Stage.run {
            try $0.reply(status, body: "{\"error\":\"mine\"}")
        } _: { stage throws in
            for _ in 0..<2 {
                let answer = try ask(stage)
                if status == 429, answer.problem == "provider_paused" { continue }
                #expect((answer.status, answer.text) == (status, "{\"error\":\"mine\"}"))
            }
        }
    }

    @Test func `off means that nobody is asked, whatever the path`() throws {
        let providers = [Stage.provider("a", "websocket = \"off\"")]
        try Stage.run(.with { $0.providers = providers }) {
            try $0.reply()
        } _: { stage throws in
            expectFallback(try ask(stage))
            let realtime = try ask(stage, "/v1/realtime?model=a")
            #expect((realtime.status, realtime.problem) == (426, "no_websocket"))
            #expect(realtime.text.contains("'a' has no WebSocket") && realtime.text.contains("websocket setting"))
            let anthropic = try ask(stage, "/v1/messages")
            #expect(
                anthropic.status == 426
                    && anthropic.text.contains(#"{"type":"error","error":{"type":"invalid_request_error""#))
            #expect(stage.upstream.requests.isEmpty)
            #expect(try stage.ask("POST", "/v1/responses", body: "{}").status == 200)
        }
    }

    @Test func `of several providers those that have one are asked`() throws {
        let providers = [
            Stage.provider("off", leads: true, "websocket = \"off\""), Stage.provider("none", leads: true),
            Stage.provider("some"),
        ]
        try Stage.run(.with { $0.providers = providers }) { call in
            if call.provider == "none" { return try call.reply(405) }
            try call.acceptWebSocket()
            try call.waitForEnd()
        } _: { stage throws in
            for _ in 0..<2 {
                let caller = try stage.caller()
                try caller.askForWebSocket("/v1/responses")
                _ = try caller.webSocketHead()
                caller.wire.close()
            }
            #expect(stage.upstream.requests.map(\.provider) == ["none", "some", "some"])
            // By name there is no other.
            expectFallback(try ask(stage, "/none/v1/responses"))
            #expect(stage.upstream.requests.count == 3)
        }
    }

    @Test func `where the model decides, a caller goes on over plain HTTP, which names it`() throws {
        let providers = [Stage.provider("a", "models = [\"gpt-*\"]"), Stage.provider("b")]
        try Stage.run(.with { $0.providers = providers }) {
            try $0.reply()
        } _: { stage throws in
            let answer = try ask(stage)
            expectFallback(answer)
            #expect(answer.text.contains("models, model and aliases of 'a'"))
            #expect(stage.upstream.requests.isEmpty)
        }
    }
}
