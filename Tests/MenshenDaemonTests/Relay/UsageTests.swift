// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

/// What is read of an answer beside the relay, and what a stream without its own end does.
struct UsageTests {
    private static let json = ["Content-Type: application/json"]
    private static let chat = #"{"model":"m","stream":true,"user":"ada"}"#
    private static let begin =
        "data: {\"model\":\"m-1\",\"choices\":[{\"delta\":{\"content\":\"Hi\"},\"finish_reason\":null}]}\n\n"
    private static let stop = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    private static let usage =
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":5,\"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\n"

    @Test(arguments: [true, false])
    func `a chat stream is asked for its usage, and its caller sees of that what is configured`(strips: Bool) throws {
        try Stage.run(.with { $0.provider = strips ? "" : "strip_added_usage = false" }) { call in
            #expect(call.request.text.hasSuffix(#","stream_options":{"include_usage":true}}"#))
            try call.beginStream()
            for piece in [Self.begin, Self.stop, Self.usage, "data: [DONE]\n\n"] { try call.chunk(piece) }
            try call.endStream()
        } _: { stage throws in
            let answer = try stage.ask("POST", "/v1/chat/completions", Self.json, body: Self.chat)
            #expect(answer.text == Self.begin + Self.stop + (strips ? "" : Self.usage) + "data: [DONE]\n\n")
            let row = try #require(try stage.records().first)
            #expect((row.endState, row.operation, row.usageState) == ("complete", "chat", "reported"))
            #expect((row.inputTotal, row.cacheRead, row.outputTotal) == (12, 4, 5))
            #expect((row.finishReason, row.endUser, row.answerModel) == ("stop", "ada", "m-1"))
        }
    }

    @Test(arguments: [
        "/v1/responses", "/v1/completions", "/v1/messages", "/v1/embeddings", "/v1/images/generations",
        "/v1beta/models/g:streamGenerateContent", "/v1/audio/speech", "/unknown",
    ])
    func `no other stream is asked for anything`(path: String) throws {
        try Stage.run(.with { $0.basePath = "" }) {
            try $0.reply()
        } _: { stage throws in
            _ = try stage.ask("POST", path, Self.json, body: Self.chat)
            #expect(stage.upstream.requests.map(\.text) == [Self.chat])
        }
    }

    @Test func `the chunk that was added goes out again, however it is cut`() throws {
        try Stage.run { call in
            try call.beginStream()
            try call.chunk(Self.begin + Self.stop + Self.usage.prefix(20))
            try call.chunk(Self.usage.dropFirst(20) + "data: [DONE]\n\n")
            try call.endStream()
        } _: { stage throws in
            let answer = try stage.ask("POST", "/v1/chat/completions", Self.json, body: Self.chat)
            #expect(answer.text == Self.begin + Self.stop + "data: [DONE]\n\n")
            let old = try stage.caller()
            try old.send(
                "POST /v1/chat/completions HTTP/1.0\r\nContent-Type: application/json\r\n"
                    + "Content-Length: \(Self.chat.utf8.count)\r\n\r\n\(Self.chat)")
            #expect(try old.answer().text == answer.text)
            #expect(try stage.records().map(\.outputTotal) == [5, 5])
        }
    }

    @Test func `one that the caller has asked for itself stays`() throws {
        try Stage.run { call in
            try call.beginStream()
            for piece in [Self.begin, Self.stop, Self.usage, "data: [DONE]\n\n"] { try call.chunk(piece) }
            try call.endStream()
        } _: { stage throws in
            let body = #"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#
            let answer = try stage.ask("POST", "/v1/chat/completions", Self.json, body: body)
            #expect(answer.text == Self.begin + Self.stop + Self.usage + "data: [DONE]\n\n")
            #expect(stage.upstream.requests.map(\.text) == [body])
        }
    }

    @Test func `a stream that is to be filtered is asked for uncoded, and loses its length`() throws {
        try Stage.run { call in
            #expect(call.request["Accept-Encoding"] == nil)
            let body = Self.begin + Self.stop + Self.usage + "data: [DONE]\n\n"
            try call.reply(200, ["Content-Type: text/event-stream"], body: body)
        } _: { stage throws in
            let fields = Self.json + ["Accept-Encoding: gzip"]
            let answer = try stage.ask("POST", "/v1/chat/completions", fields, body: Self.chat)
            #expect(answer.text == Self.begin + Self.stop + "data: [DONE]\n\n")
            #expect(answer["Content-Length"] == nil && answer["Transfer-Encoding"] == "chunked")
        }
    }

    @Test(arguments: [400, 422])
    func `a provider that refuses the field is asked again without it, and once for each model`(status: Int) throws {
        try Stage.run { call in
            if call.request.text.contains("stream_options") {
                return try call.reply(
                    status, body: #"{"error":{"message":"Unrecognized request argument: stream_options"}}"#)
            }
            try call.beginStream()
            for piece in [Self.begin, Self.stop, "data: [DONE]\n\n"] { try call.chunk(piece) }
            try call.endStream()
        } _: { stage throws in
            for _ in 0..<2 {
                let answer = try stage.ask("POST", "/v1/chat/completions", Self.json, body: Self.chat)
                #expect(answer.status == 200)
                #expect(answer.text == Self.begin + Self.stop + "data: [DONE]\n\n")
            }
            _ = try stage.ask("POST", "/v1/chat/completions", Self.json, body: #"{"model":"n","stream":true}"#)
            #expect(
                stage.upstream.requests.map { $0.text.contains("stream_options") } == [true, false, false, true, false])
            #expect(stage.upstream.requests[1].text == Self.chat)
            let rows = try stage.records()
            #expect(rows[0].attempts == ["openai \(status) ok", "openai 200 ok"])
            #expect(rows[1].attempts == ["openai 200 ok"])
        }
    }

    @Test func `a body too long for failover is kept for that, and another refusal says nothing of the field`() throws {
        try Stage.run(.with { $0.tables = "[failover]\nmax_body_bytes = 1" }) { call in
            try call.reply(call.request.text.contains("stream_options") ? 400 : 418, body: "of the caller")
        } _: { stage throws in
            for _ in 0..<2 {
                let answer = try stage.ask("POST", "/v1/chat/completions", Self.json, body: Self.chat)
                #expect((answer.status, answer.text) == (418, "of the caller"))
            }
            #expect(stage.upstream.requests.map { $0.text.contains("stream_options") } == [true, false, true, false])
        }
    }

    @Test(arguments: [[], ["Content-Type: text/event-stream", "Content-Encoding: identity"]])
    func `a stream without a type, or with a coding that is none, is filtered as well`(fields: [String]) throws {
        try Stage.run { call in
            try call.reply(200, fields, body: Self.begin + Self.stop + Self.usage + "data: [DONE]\n\n")
        } _: { stage throws in
            let answer = try stage.ask("POST", "/v1/chat/completions", Self.json, body: Self.chat)
            #expect(answer.text == Self.begin + Self.stop + "data: [DONE]\n\n")
        }
    }

    @Test func `a refusal that is the caller's own fault is the second one, and nothing is remembered`() throws {
        try Stage.run { call in
            try call.reply(400, body: call.request.text.contains("stream_options") ? "of the field" : "of the caller")
        } _: { stage throws in
            for _ in 0..<2 {
                let answer = try stage.ask("POST", "/v1/chat/completions", Self.json, body: Self.chat)
                #expect((answer.status, answer.text) == (400, "of the caller"))
            }
            #expect(stage.upstream.requests.count == 4)
        }
    }

    @Test func `a stream without its own end breaks off, after an event that says so`() throws {
        try Stage.run { call in
            try call.beginStream()
            try call.chunk(Self.begin)
            try call.endStream()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("POST", "/v1/chat/completions", Self.json, body: Self.chat)
            #expect(try caller.head().status == 200)
            #expect(try caller.chunk().map { String(decoding: $0, as: UTF8.self) } == Self.begin)
            let last = String(decoding: try #require(try caller.chunk()), as: UTF8.self)
            #expect(last.hasPrefix("data: {\"error\":{") && last.hasSuffix("}\n\n"))
            #expect(throws: (any Error).self) { try caller.chunk() }
            let row = try #require(try stage.records().first)
            #expect((row.endState, row.usageState, row.problem) == ("truncated", "unknown", "upstream_broken"))
        }
    }

    @Test func `an error event in a stream is recorded as such`() throws {
        let event =
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}\n\n"
        try Stage.run(.with { $0.kind = "anthropic" }) { call in
            try call.beginStream()
            try call.chunk(event)
            try call.endStream()
        } _: { stage throws in
            #expect(try stage.ask("POST", "/v1/messages", Self.json, body: Self.chat).text == event)
            let row = try #require(try stage.records().first)
            #expect((row.endState, row.problem, row.operation) == ("stream_error", "overloaded_error", "messages"))
        }
    }
}
