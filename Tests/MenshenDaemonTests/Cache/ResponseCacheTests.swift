// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Synchronization
import TestSupport
import Testing

/// The cache as callers see it, in a running daemon.
struct ResponseCacheTests {
    private static let chat = "/v1/chat/completions"
    private static let usage = #""usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12}"#

    private static func setting(_ cache: String = "", _ change: (inout Stage.Setting) -> Void = { _ in })
        -> Stage.Setting
    {
        .with {
            $0.tables = "[cache]\nenable = true\nmax_age = \"1h\"\n\(cache)"
            change(&$0)
        }
    }

    /// A number of its own for each answer, so that a repeated one shows.
    private static func counting() -> FakeUpstream.Script {
        let count = Atomic<Int>(0)
        return { call in
            let number = count.add(1, ordering: .relaxed).newValue
            if call.request.text.contains(#""stream":true"#) {
                try call.beginStream(["Content-Type: text/event-stream", "x-request-id: up-\(number)"])
                for word in ["a", "b\(number)"] {
                    try call.chunk(
                        #"data: {"id":"c","model":"m-1","choices":[{"index":0,"delta":{"content":"\#(word)"}}]}"#
                            + "\n\n")
                }
                try call.chunk(#"data: {"choices":[],\#(usage)}"# + "\n\n: over\n\ndata: [DONE]\n\n")
                return try call.endStream()
            }
            try call.reply(
                200, ["Content-Type: application/json", "x-request-id: up-\(number)", "openai-version: 2020-10-01"],
                body: #"{"model":"m-1","n":\#(number),"choices":[{"finish_reason":"stop"}],\#(usage)}"#)
        }
    }

    private static func body(_ text: String = "hi", _ more: String = "") -> String {
        #"{"model":"m","messages":[{"role":"user","content":"\#(text)"}]\#(more)}"#
    }

    private func ask(_ stage: Stage, _ body: String, _ fields: [String] = []) throws -> Answer {
        try stage.ask("POST", Self.chat, ["Content-Type: application/json"] + fields, body: body)
    }

    @Test func `stored answers that a caller leaves unread fill its share and no more`() throws {
        let text = String(repeating: "a", count: 3_000_000)
        try Stage.run(Self.setting("[server]\nmax_buffered_bodies = \"12MiB\"")) { call in
            try call.reply(
                200, ["Content-Type: application/json"],
                body: #"{"model":"m-1","n":"\#(text)","choices":[{"finish_reason":"stop"}],\#(Self.usage)}"#)
        } _: { stage throws in
            #expect(try ask(stage, Self.body())["X-Cache"] == "MISS")
            // Three megabytes take a slow disk longer than a request waits for the cache's word.
            for _ in 0..<100 { if try ask(stage, Self.body())["X-Cache"] == "HIT" { break } }
            let callers = try (0..<3).map { _ in try stage.caller() }
            var found: [String?] = []
            for caller in callers {
                try caller.request("POST", Self.chat, ["Content-Type: application/json"], body: Self.body())
                found.append(try caller.head()["X-Cache"])
            }
            #expect(found == ["HIT", "HIT", "BYPASS"])
            for caller in callers { _ = try caller.wire.read(exactly: text.utf8.count) }
            #expect(try ask(stage, Self.body())["X-Cache"] == "HIT")
        }
    }

    @Test func `the same request gets the same answer without a provider, and a record that says so`() throws {
        try Stage.run(Self.setting(), upstream: Self.counting()) { stage throws in
            let first = try ask(stage, Self.body())
            #expect(first["X-Cache"] == "MISS")
            #expect(first["Age"] == nil)
            let second = try ask(stage, #"{ "messages" : [{"content":"hi","role":"user"}],"user":"u","model":"m"}"#)
            #expect((second.status, second["X-Cache"], second.text) == (200, "HIT", first.text))
            #expect(second["Age"].flatMap { Int($0) } != nil)
            #expect(second["Content-Type"] == "application/json")
            #expect(second["openai-version"] == "2020-10-01")
            #expect(second["x-request-id"] == nil, "that of another request")
            #expect(second["x-menshen-request-id"] != first["x-menshen-request-id"])
            #expect(try ask(stage, Self.body("ho"))["X-Cache"] == "MISS")
            #expect(stage.upstream.requests.count == 2)
            let rows = try stage.records()
            #expect(rows.map(\.cache) == ["miss", "hit", "miss"])
            let hit = rows[1]
            #expect((hit.provider, hit.usageState, hit.inputTotal, hit.endState) == (nil, "none", nil, "complete"))
            #expect((hit.savedInput, hit.savedOutput) == (7, 5))
            #expect(hit.cacheSource == rows[0].textID)
            #expect((hit.model, hit.answerModel, hit.finishReason, hit.status) == ("m", "m-1", "stop", 200))
            #expect(hit.attempts.isEmpty)
            #expect(rows[0].usageState == "reported")
        }
    }

    @Test func `a hit saves what the answer would have cost, where all providers have the same prices`() throws {
        for (prices, saved) in [("prices = \"openai\"", "31000000"), ("", nil)] {
            try Stage.run(Self.setting { $0.provider = prices }, upstream: Self.counting()) { stage throws in
                try stage.directory.write(
                    "prices.toml", "[[prices]]\nprovider = \"openai\"\nmodel = \"m-1\"\ninput = 3\noutput = 2\n")
                try stage.daemon.reload()
                _ = try ask(stage, Self.body())
                #expect(try ask(stage, Self.body())["X-Cache"] == "HIT")
                _ = try stage.records()
                #expect(try stage.daemon.texts("SELECT saved FROM requests ORDER BY id") == [nil, saved])
                #expect(
                    try stage.daemon.texts("SELECT cost || cost_state FROM requests WHERE cache = 'hit'") == ["0none"])
            }
        }
    }

    @Test func `a stream is given again event by event, for every kind of caller`() throws {
        try Stage.run(Self.setting(), upstream: Self.counting()) { stage throws in
            let body = Self.body("hi", #","stream":true"#)
            let first = try ask(stage, body)
            #expect(first["X-Cache"] == "MISS")
            let caller = try stage.caller()
            try caller.request("POST", Self.chat, ["Content-Type: application/json"], body: body)
            let head = try caller.head(to: "POST")
            #expect((head.framing, head["X-Cache"], head["Content-Type"]) == (.chunked, "HIT", "text/event-stream"))
            var pieces: [String] = []
            while let piece = try caller.chunk() { pieces.append(String(decoding: piece, as: UTF8.self)) }
            #expect(try caller.trailers().isEmpty)
            #expect(pieces.count == 3)
            #expect(pieces.joined() == first.text)
            #expect(pieces.allSatisfy { $0.hasSuffix("\n\n") })
            // The connection goes on.
            try caller.request("POST", Self.chat, ["Content-Type: application/json"], body: body)
            #expect(try caller.answer(to: "POST").text == first.text)
            let old = try stage.caller()
            try old.send(
                "POST \(Self.chat) HTTP/1.0\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
            )
            #expect(try old.answer(to: "POST").text == first.text)
            // Not streamed it is another request.
            #expect(try ask(stage, Self.body())["X-Cache"] == "MISS")
            #expect(stage.upstream.requests.count == 2)
            #expect(
                try stage.records().filter { $0.cache == "hit" }.allSatisfy {
                    $0.savedOutput == 5 && $0.isStream == true
                })
        }
    }

    @Test(arguments: [
        ("openai", "/v1/chat/completions", #"{"choices":[{"finish_reason":"stop"}]}"#),
        ("openai", "/v1/responses", #"{"object":"response","status":"completed"}"#),
        ("openai", "/v1/embeddings", #"{"data":[]}"#),
        ("anthropic", "/v1/messages", #"{"type":"message","stop_reason":"end_turn"}"#),
        ("gemini", "/v1beta/models/gemini-2.5-pro:generateContent", #"{"candidates":[{"finishReason":"STOP"}]}"#),
        (
            "gemini", "/v1beta/models/gemini-2.5-pro:streamGenerateContent",
            #"[{"candidates":[{"finishReason":"STOP"}]}]"#
        ),
        ("gemini", "/v1beta/models/text-embedding-004:embedContent", #"{"embedding":{"values":[]}}"#),
    ])
    func `answers of every API of text and vectors are kept`(kind: String, path: String, answer: String) throws {
        try Stage.run(
            Self.setting {
                $0.kind = kind
                $0.basePath = ""
            }
        ) {
            try $0.reply(body: answer)
        } _: { stage throws in
            let told = try (0..<2).map { _ in
                try stage.ask("POST", path, ["Content-Type: application/json"], body: #"{"model":"m"}"#)
            }
            #expect(told.map { $0["X-Cache"] } == ["MISS", "HIT"])
            #expect(told.map(\.text) == [answer, answer])
            #expect(stage.upstream.requests.count == 1)
        }
    }

    @Test func `a request may ask for a fresh answer, or for none to be kept`() throws {
        try Stage.run(Self.setting(), upstream: Self.counting()) { stage throws in
            func number(_ fields: String...) throws -> [String?] {
                let answer = try ask(stage, Self.body(), fields)
                return [answer["X-Cache"], answer.text.firstMatch(of: /"n":(\d+)/).map { String($0.1) }]
            }
            #expect(try number("Cache-Control: no-store") == ["BYPASS", "1"])
            #expect(try number() == ["MISS", "2"])
            #expect(try number("Cache-Control: no-cache") == ["MISS", "3"])
            #expect(try number() == ["HIT", "3"])
            #expect(try number("Cache-Control: max-age=0") == ["MISS", "4"])
            #expect(try number("Cache-Control: max-age=600") == ["HIT", "4"])
            #expect(try number("Pragma: no-cache") == ["MISS", "5"])
        }
    }

    @Test func `each caller has answers of its own, unless the configuration shares them`() throws {
        for (scope, expected) in [("caller", "MISS"), ("instance", "HIT")] {
            try Stage.run(
                Self.setting("scope = \"\(scope)\"") {
                    $0.hasTCP = true
                    $0.authentication =
                        "tokens = [{ name = \"a\", token = \"token-aaaaaaaa\" }, { name = \"b\", token = \"token-bbbbbbbb\" }]"
                }, upstream: Self.counting()
            ) { stage throws in
                func ask(_ token: String) throws -> String? {
                    try stage.askTCP(
                        "POST", Self.chat, ["Authorization: Bearer \(token)", "Content-Type: application/json"],
                        body: Self.body())["X-Cache"]
                }
                #expect(try ask("token-aaaaaaaa") == "MISS")
                #expect(try ask("token-aaaaaaaa") == "HIT")
                #expect(try ask("token-bbbbbbbb") == expected)
                #expect(try self.ask(stage, Self.body())["X-Cache"] == expected)
            }
        }
    }

    @Test func `what is not a whole good answer is not kept`() throws {
        try Stage.run(Self.setting("max_body_bytes = 300")) { call in
            let text = call.request.text
            if text.contains("error") { return try call.reply(500, body: "{}") }
            if text.contains("private") {
                return try call.reply(200, ["Content-Type: application/json", "Cache-Control: no-store"])
            }
            if text.contains("large") {
                return try call.reply(body: #"{"a":"\#(String(repeating: "x", count: 400))"}"#)
            }
            if text.contains("binary") { return try call.reply(200, ["Content-Type: audio/mpeg"], body: "xyz") }
            try call.beginStream()
            try call.chunk("data: {\"choices\":[]}\n\n")
            if text.contains("failing") {
                try call.chunk("data: {\"error\":{\"code\":\"server_error\"}}\n\ndata: [DONE]\n\n")
            }
            if text.contains("broken") { return call.close() }
            try call.endStream()
        } _: { stage throws in
            for word in ["error", "private", "large", "binary", "failing", "markerless", "broken"] {
                let body = Self.body(word, #","stream":true"#)
                for _ in 0..<2 {
                    let caller = try stage.caller()
                    try caller.request(
                        "POST", Self.chat, ["Content-Type: application/json", "Connection: close"], body: body)
                    #expect(try caller.head(to: "POST")["X-Cache"] == "MISS", "\(word)")
                    _ = try? caller.wire.readToEnd()
                }
            }
        }
    }

    @Test func `an answer that repeats the key is not kept`() throws {
        try Stage.run(Self.setting()) { call in
            try call.reply(body: #"{"you_sent":"\#(call.request["Authorization"] ?? "")"}"#)
        } _: { stage throws in
            for _ in 0..<2 {
                let answer = try ask(stage, Self.body())
                #expect((answer["X-Cache"], answer.text.contains(Stage.key)) == ("MISS", true))
            }
            try stage.daemon.stop()
            for name in ["cache.db", "cache.db-wal"] {
                let bytes = TemporaryDirectory.read(stage.directory.path(".cache/menshen/\(name)")) ?? ""
                #expect(!bytes.contains(Stage.key), "\(name)")
            }
            #expect(TemporaryDirectory.read(stage.directory.path(".cache/menshen/cache.db")) != nil)
        }
    }

    @Test func `the provider's own X-Cache is not mixed up with ours`() throws {
        try Stage.run(Self.setting()) {
            try $0.reply(200, ["Content-Type: application/json", "X-Cache: Hit from cloudfront"])
        } _: { stage throws in
            #expect(try ask(stage, Self.body()).head.all("X-Cache") == ["MISS"])
            #expect(try stage.ask("GET", "/v1/models").head.all("X-Cache") == ["BYPASS"])
        }
        try Stage.run {
            try $0.reply(200, ["X-Cache: Hit from cloudfront"])
        } _: { stage throws in
            #expect(try ask(stage, Self.body()).head.all("X-Cache") == ["Hit from cloudfront"])
        }
    }

    @Test func `answers outlive the process, and a reload turns the cache off and on`() throws {
        try Stage.run(Self.setting(), upstream: Self.counting()) { stage throws in
            let setting = Self.setting()
            let first = try ask(stage, Self.body()).text
            // The caller has its answer a moment before the cache has.
            #expect(try ask(stage, Self.body()).text == first)
            try stage.daemon.reload(Stage.configuration(.with { $0.tables = "" }, stage.upstream))
            let plain = try ask(stage, Self.body())
            #expect(plain["X-Cache"] == nil)
            #expect(plain.text != first)
            try stage.daemon.reload(Stage.configuration(setting, stage.upstream))
            #expect(try ask(stage, Self.body()).text == first)
            try stage.daemon.stop()
            let again = try DaemonUnderTest(Stage.configuration(setting, stage.upstream), in: stage.directory)
            let caller = try RawClient(unix: again.socketPath)
            try caller.request("POST", Self.chat, ["Content-Type: application/json"], body: Self.body())
            let answer = try caller.answer(to: "POST")
            #expect((answer["X-Cache"], answer.text) == ("HIT", first))
            again.process.send(9)
        }
    }

    @Test func `a large answer is given to a slow reader as it reads, and its leaving ends that`() throws {
        let text = String(repeating: "y", count: 4 << 20)
        try Stage.run(Self.setting("max_body_bytes = \"8MiB\"")) {
            try $0.reply(body: #"{"a":"\#(text)"}"#)
        } _: { stage throws in
            #expect(try ask(stage, Self.body()).body.count == text.utf8.count + 8)
            let slow = try stage.caller()
            try slow.request("POST", Self.chat, ["Content-Type: application/json"], body: Self.body())
            let head = try slow.head(to: "POST")
            #expect(head["X-Cache"] == "HIT")
            #expect(try slow.wire.read(exactly: text.utf8.count + 8).count == text.utf8.count + 8)
            let leaving = try stage.caller()
            try leaving.request("POST", Self.chat, ["Content-Type: application/json"], body: Self.body())
            _ = try leaving.head(to: "POST")
            leaving.wire.close()
            #expect(try ask(stage, Self.body())["X-Cache"] == "HIT")
            #expect(
                try stage.records().map(\.endState).sorted() == ["client_gone", "complete", "complete", "complete"])
        }
    }
}
