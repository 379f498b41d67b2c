// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

/// An answer is whole if it says so itself, and not because its transport ends well; by either engine.
struct WholeAnswerTests {
    enum Engine: CaseIterable { case own, libcurl }

    private static func setting(
        _ engine: Engine, _ tables: String = "", _ change: (inout Stage.Setting) -> Void = { _ in }
    )
        -> Stage.Setting
    {
        .with {
            if engine == .libcurl { $0.daemon.environment["MENSHEN_HTTP"] = "libcurl" }
            $0.tables = tables
            change(&$0)
        }
    }

    private static let chat = "/v1/chat/completions"
    private static let cache = "[cache]\nenable = true\nmax_age = \"1h\"\n"
    private static let json = "Content-Type: application/json"
    private static let whole = #"{"model":"m-1","choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":7}}"#
    private static let piece = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n"
    private static let done = "data: [DONE]\n\n"
    private static let asked = #"{"model":"m","stream":true}"#

    // MARK: JSON that is cut

    @Test(arguments: Engine.allCases)
    func `JSON that the connection's end cuts breaks for the caller, and is not kept`(engine: Engine) throws {
        try Stage.run(Self.setting(engine, Self.cache)) { call in
            try call.send(
                "HTTP/1.1 200 OK\r\n\(Self.json)\r\n\r\n" + Self.whole.dropLast(call.connection == 2 ? 0 : 20))
            call.close()
        } _: { stage throws in
            for _ in 0..<2 {
                let caller = try stage.caller()
                try caller.request("POST", Self.chat, [Self.json], body: #"{"model":"m"}"#)
                let head = try caller.head(to: "POST")
                #expect((head.status, head["X-Cache"]) == (200, "MISS"))
                #expect(throws: (any Error).self) { while try caller.chunk() != nil {} }
            }
            let good = try stage.ask("POST", Self.chat, [Self.json], body: #"{"model":"m"}"#)
            #expect((good["X-Cache"], good.text) == ("MISS", Self.whole))
            #expect(try stage.ask("POST", Self.chat, [Self.json], body: #"{"model":"m"}"#)["X-Cache"] == "HIT")
            let rows = try stage.records()
            #expect(rows.map(\.endState) == ["truncated", "truncated", "complete", "complete"])
            #expect(rows[0].problem == "upstream_broken" && rows[0].attempts == ["openai 200 truncated"])
        }
    }

    @Test(arguments: Engine.allCases)
    func `whoever framed it: chunks that end, and a length that is reached`(engine: Engine) throws {
        try Stage.run(Self.setting(engine, Self.cache + "[failover]\nbreaker_failures = 0")) { call in
            let half = String(Self.whole.dropLast(9))
            guard call.request.target.hasSuffix("completions") else { return try call.reply(body: half) }
            try call.beginStream([Self.json])
            try call.chunk(half)
            try call.endStream()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("POST", Self.chat, body: #"{"model":"m"}"#)
            #expect(try caller.head(to: "POST").status == 200)
            #expect(throws: (any Error).self) { while try caller.chunk() != nil {} }
            // All that was promised has come; the connection ends behind it.
            for path in ["/v1/embeddings", "/v1/models", "/v1/files", "/v1/messages/count_tokens"] {
                let caller = try stage.caller()
                try caller.request("POST", path, body: #"{"model":"m"}"#)
                #expect(try caller.answer(to: "POST").body.count == Self.whole.count - 9)
                try caller.wire.waitForEnd()
            }
            #expect(try stage.records().allSatisfy { $0.endState == "truncated" })
        }
    }

    @Test func `JSON whose coding does not end is not whole`() throws {
        // gzip with one stored block, the last; then length and checksum would follow.
        let text = Array(Self.whole.utf8)
        let length = UInt16(text.count)
        let sizes = [length, ~length].flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
        let coded: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF, 1] + sizes + text
        try Stage.run(Self.setting(.own, Self.cache)) { call in
            try call.beginStream([Self.json, "Content-Encoding: gzip"])
            try call.chunk(coded)
            try call.endStream()
        } _: { stage throws in
            for _ in 0..<2 {
                let caller = try stage.caller()
                try caller.request("POST", Self.chat, ["Accept-Encoding: gzip"], body: #"{"model":"m"}"#)
                #expect(try caller.head(to: "POST")["X-Cache"] == "MISS")
                #expect(throws: (any Error).self) { while try caller.chunk() != nil {} }
            }
            let row = try #require(try stage.records().first)
            #expect((row.endState, row.inputTotal, row.usageState) == ("truncated", 7, "partial"))
        }
    }

    @Test func `errors, parts and stored files are as whole as their transport`() throws {
        try Stage.run { call in
            switch call.request.target {
            case "/v1/chat/completions": try call.reply(400, body: #"{"error":{"#)
            case "/v1/files/f/content": try call.reply(body: #"{"half":"#)
            case "/v1/files": try call.reply(206, body: #"{"half":"#)
            default: try call.reply(body: "no JSON")
            }
        } _: { stage throws in
            for path in [Self.chat, "/v1/files/f/content", "/v1/files", "/v1/models"] {
                _ = try stage.ask("GET", path)
            }
            #expect(try stage.records().map(\.endState) == ["complete", "complete", "complete", "complete"])
        }
    }

    // MARK: Streams that are over

    enum End: CaseIterable { case reset, close, silence, halfChunk }

    @Test(arguments: Engine.allCases, End.allCases)
    func `a stream that has said its last word is whole, however its transport ends`(engine: Engine, end: End) throws {
        let seen = try Signal()
        let tables = "[failover]\nbreaker_failures = 1\n" + Self.cache
        try Stage.run(Self.setting(engine, tables)) { call in
            try call.beginStream()
            try call.chunk(Self.piece + Self.done)
            switch end {
            case .close: call.close()
            case .silence: try call.waitForEnd()
            case .reset, .halfChunk:
                if end == .halfChunk { try call.send("20\r\n: half a") }
                // A reset overtakes what is not read yet.
                try seen.wait()
                call.reset()
            }
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("POST", Self.chat, body: Self.asked)
            #expect(try caller.head(to: "POST").status == 200)
            #expect(try caller.chunk() == Array((Self.piece + Self.done).utf8))
            seen.raise()
            // gap_timeout is minutes.
            while try caller.chunk() != nil {}
            _ = try caller.trailers()
            // The connection goes on, nothing is said of the provider, and the answer may serve again.
            try caller.request("POST", Self.chat, body: Self.asked)
            let again = try caller.answer(to: "POST")
            #expect(again["X-Cache"] == "HIT")
            #expect(again.text.hasPrefix(Self.piece + Self.done))
            #expect(again["Date"]?.hasSuffix(" GMT") == true)
            let row = try #require(try stage.records().first)
            #expect((row.endState, row.problem, row.attempts) == ("complete", nil, ["openai 200 ok"]))
        }
    }

    @Test func `what comes behind the last word is passed on as long as it comes at once`() throws {
        try Stage.run { call in
            try call.beginStream()
            try call.chunk(Self.piece + Self.done)
            try call.chunk(": the end\n\n")
            try call.endStream(trailers: ["x-cost: 1"])
        } _: { stage throws in
            let answer = try stage.ask("POST", Self.chat, body: Self.asked)
            #expect(answer.text == Self.piece + Self.done + ": the end\n\n")
            #expect(answer.trailers.first?.name == "x-cost")
        }
    }

    @Test func `an error event is a last word too, and what was promised by length must come`() throws {
        let error = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\"}}\n\n"
        try Stage.run(
            .with {
                $0.kind = "anthropic"; $0.basePath = ""
            }
        ) { call in
            if call.request.text.contains("length") {
                try call.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 900\r\n\r\n")
                try call.send("data: {\"type\":\"message_stop\"}\n\n")
                return call.close()
            }
            try call.beginStream()
            try call.chunk(error)
            try call.waitForEnd()
        } _: { stage throws in
            #expect(try stage.ask("POST", "/v1/messages", body: #"{"stream":true}"#).text == error)
            #expect(throws: (any Error).self) {
                try stage.ask("POST", "/v1/messages", body: #"{"stream":true,"model":"length"}"#)
            }
            let rows = try stage.records()
            #expect(rows.map(\.endState) == ["stream_error", "truncated"])
            #expect(rows[0].problem == "api_error")
        }
    }

    @Test func `a caller of HTTP 1.0 sees a clean end`() throws {
        try Stage.run(.with { $0.hasTCP = true }) { call in
            try call.beginStream()
            try call.chunk(Self.piece + Self.done)
            call.close()
        } _: { stage throws in
            let caller = try stage.tcpCaller()
            try caller.send(
                "POST \(Self.chat) HTTP/1.0\r\nHost: localhost\r\nx-api-key: \(Stage.token)\r\nContent-Type: application/json\r\n"
                    + "Content-Length: \(Self.asked.utf8.count)\r\n\r\n\(Self.asked)")
            #expect(try caller.answer(to: "POST").text == Self.piece + Self.done)
        }
    }

    // MARK: Streams without their label

    @Test func `a stream without a label is held, filtered and judged as one`() throws {
        let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\n"
        let setting = Stage.Setting.with {
            $0.providers = ["a", "b"].map { Stage.provider($0, leads: $0 == "a", "strip_added_usage = true") }
        }
        try Stage.run(setting) { call in
            try call.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            if call.provider == "a" {
                try call.chunk("data: {\"error\":{\"code\":\"overloaded\"}}\n\n")
            } else {
                try call.chunk("da")
                try call.chunk(Self.piece.dropFirst(2) + usage)
                if !call.request.text.contains("cut") { try call.chunk(Self.done) }
            }
            try call.endStream()
        } _: { stage throws in
            #expect(try stage.ask("POST", Self.chat, body: Self.asked).text == Self.piece + Self.done)
            let caller = try stage.caller()
            try caller.request("POST", Self.chat, body: #"{"model":"cut","stream":true}"#)
            #expect(try caller.head(to: "POST").status == 200)
            #expect(throws: (any Error).self) { while try caller.chunk() != nil {} }
            let rows = try stage.records()
            #expect(rows.map(\.endState) == ["complete", "truncated"])
            #expect(rows[0].attempts == ["a 200 error_event", "b 200 ok"])
            #expect((rows[0].inputTotal, rows[0].outputTotal) == (3, 4))
        }
    }

    @Test func `JSON in place of a stream is neither held back nor changed`() throws {
        let goOn = try Signal()
        let setting = Stage.Setting.with {
            $0.providers = ["a", "b"].map { Stage.provider($0, leads: $0 == "a", "strip_added_usage = true") }
        }
        try Stage.run(setting) { call in
            try call.beginStream([Self.json])
            try call.chunk(String(Self.whole.prefix(30)))
            try goOn.wait()
            try call.chunk(String(Self.whole.dropFirst(30)))
            try call.endStream()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("POST", Self.chat, body: Self.asked)
            #expect(try caller.head(to: "POST").status == 200)
            var text = String(decoding: try caller.chunk() ?? [], as: UTF8.self)
            #expect(text.count == 30)
            goOn.raise()
            while let chunk = try caller.chunk() { text += String(decoding: chunk, as: UTF8.self) }
            #expect(text == Self.whole)
        }
    }
}
