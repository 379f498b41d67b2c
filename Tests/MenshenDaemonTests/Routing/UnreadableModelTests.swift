// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

/// Which model a request is for, where its body does not say so plainly: read if that is possible, never guessed.
struct UnreadableModelTests {
    private static let path = "/v1/chat/completions"
    /// gzip of {"model":"secret-7b","messages":[]}, made by Python's zlib.
    private static let coded: [UInt8] = [
        31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 202, 205, 79, 73, 205, 81, 178, 82, 42, 78, 77, 46, 74, 45, 209, 53,
        79, 82, 210, 81, 202, 77, 45, 46, 78, 76, 79, 45, 86, 178, 138, 142, 173, 5, 0, 45, 143, 124, 165, 35, 0, 0, 0,
    ]

    /// "a" may have every model but the secret ones, which are for "b" alone.
    private static let rules = Stage.Setting.with {
        $0.providers = [
            Stage.provider("a", leads: true, "models = [\"gpt-*\"]"), Stage.provider("b", "models = [\"secret-*\"]"),
        ]
    }

    private func ask(
        _ stage: Stage, _ body: [UInt8], _ fields: [String], path: String = UnreadableModelTests.path
    ) throws -> Answer {
        let caller = try stage.caller()
        try caller.send(
            Array(
                ("POST \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(body.count)\r\n"
                    + fields.map { $0 + "\r\n" }.joined() + "\r\n").utf8) + body)
        return try caller.answer(to: "POST")
    }

    @Test(arguments: [
        ("{\"model\":\"secret-7b\"}", "Content-Type: application/x-www-form-urlencoded"),
        ("{\"model\":\"secret-7b\"}", "Content-Type: text/plain"), ("{\"model\":\"secret-7b\"}", "X-No-Type: 1"),
        ("\u{FEFF}{\"model\":\"secret-7b\"}", "Content-Type: application/json"),
        ("{\"mod\\u0065l\":\"secret-7b\"}", "Content-Type: application/json"),
        ("{\"MODEL\":\"secret-7b\"}", "Content-Type: application/json"),
        ("{\"model\":\"secret-7b\",\"model\":\"secret-7b\"}", "Content-Type: application/json"),
    ])
    func `a model that can be read decides, whatever the body is called`(body: String, field: String) throws {
        try Stage.run(Self.rules) {
            try $0.reply(body: $0.provider)
        } _: { stage throws in
            #expect(try ask(stage, Array(body.utf8), [field]).text == "b")
            #expect(stage.upstream.requests.map(\.body) == [Array(body.utf8)])
            #expect(try stage.records().first?.model == "secret-7b")
        }
    }

    @Test func `a compressed body is read beside it, and passes as it came`() throws {
        try Stage.run(Self.rules) {
            try $0.reply(body: $0.provider)
        } _: { stage throws in
            let fields = ["Content-Type: application/json", "Content-Encoding: gzip"]
            #expect(try ask(stage, Self.coded, fields).text == "b")
            #expect(stage.upstream.requests.map(\.body) == [Self.coded])
            #expect(stage.upstream.requests.first?["Content-Encoding"] == "gzip")
            #expect(try stage.records().first?.model == "secret-7b")
        }
    }

    @Test(arguments: [
        ("{\"a\":1 /* x */, \"model\":\"secret-7b\"}", "Content-Type: application/json", 400, "not JSON"),
        ("{\"model\":\"gpt-4\",\"model\":\"secret-7b\"}", "Content-Type: application/json", 400, "names several"),
        ("{\"model\":\"gpt-4\",\"Model\":\"secret-7b\"}", "Content-Type: application/json", 400, "names several"),
        ("/**/{\"model\":\"secret-7b\"}", "Content-Type: application/x-www-form-urlencoded", 400, "neither JSON nor"),
        ("{\"model\":[\"secret-7b\"]}", "Content-Type: application/json", 400, "not a text"),
        ("{\"model\":\"secret-7b\"", "Content-Type: application/json", 400, "not JSON"),
        ("{\u{0}\"\u{0}m\u{0}", "Content-Type: application/json", 400, "UTF-16"),
        ("--x\r\n", "Content-Type: multipart/form-data", 400, "without a boundary"),
        (form("gpt-4") + form("secret-7b") + "--x--", "Content-Type: multipart/form-data; boundary=x", 400, "several"),
        (form("secret-7b"), "Content-Type: multipart/form-data; boundary=x", 400, "read differently"),
        (
            form("secret-7b", "; filename=\"\"") + "--x--", "Content-Type: multipart/form-data; boundary=x", 400,
            "read differently"
        ),
        ("what", "Content-Encoding: gzip", 415, "not what its Content-Encoding says"),
        ("what", "Content-Encoding: compress", 415, "does not read the body's Content-Encoding"),
    ])
    func `one that cannot be read goes nowhere where a rule depends on it`(
        body: String, field: String, status: Int, reason: String
    ) throws {
        try Stage.run(Self.rules) {
            try $0.reply()
        } _: { stage throws in
            let answer = try ask(stage, Array(body.utf8), [field])
            #expect(answer.status == status)
            #expect(answer.text.contains(reason), "\(answer.text)")
            #expect(stage.upstream.requests.isEmpty)
        }
        // Without such a rule it is the provider's to judge.
        try Stage.run(.with { $0.providers = [Stage.provider("a"), Stage.provider("b")] }) {
            try $0.reply()
        } _: { stage throws in
            #expect(try ask(stage, Array(body.utf8), [field]).status == 200)
        }
    }

    @Test func `nothing is changed within a compressed body`() throws {
        try Stage.run(.with { $0.provider = "model = \"other\"" }) {
            try $0.reply()
        } _: { stage throws in
            let fields = ["Content-Type: application/json", "Content-Encoding: gzip"]
            let answer = try ask(stage, Self.coded, fields)
            #expect(answer.status == 415 && answer.text.contains("Send it without Content-Encoding"))
            #expect(stage.upstream.requests.isEmpty)
        }
    }

    private static func form(_ model: String, _ more: String = "") -> String {
        "--x\r\nContent-Disposition: form-data; name=\"model\"\(more)\r\n\r\n\(model)\r\n"
    }

    @Test func `an alias is replaced wherever a form repeats it`() throws {
        try Stage.run(.with { $0.provider = "aliases = { fast = \"gpt-4\" }" }) {
            try $0.reply()
        } _: { stage throws in
            let fields = ["Content-Type: multipart/form-data; boundary=x"]
            let twice = Self.form("fast") + Self.form("fast") + "--x--"
            #expect(try ask(stage, Array(twice.utf8), fields, path: "/v1/audio/transcriptions").status == 200)
            #expect(stage.upstream.requests.map(\.text) == [Self.form("gpt-4") + Self.form("gpt-4") + "--x--"])
        }
    }

    @Test(arguments: ["\"model\":\"secret-7b\"", "\"MODEL\":0", "\"b\":NaN,\"model\":\"secret-7b\""])
    func `a large body that names another model later than it was read goes out to nobody whole`(late: String) throws {
        let pad = String(repeating: "x", count: 3 << 20)
        let body = Array("{\"model\":\"gpt-4\",\"a\":\"\(pad)\",\(late)}".utf8)
        try Stage.run(Self.rules) {
            try $0.reply(body: "whole")
        } _: { stage throws in
            let answer = try ask(stage, body, ["Content-Type: application/json"])
            #expect(answer.status == 400 && answer.text.contains("The model cannot be read"), "\(answer.text)")
            #expect(stage.upstream.requests.isEmpty)
        }
        try Stage.run(.with { $0.providers = [Stage.provider("a"), Stage.provider("b")] }) {
            try $0.reply()
        } _: { stage throws in
            #expect(try ask(stage, body, ["Content-Type: application/json"]).status == 200)
            #expect(stage.upstream.requests.map(\.body) == [body])
        }
    }

    /// Bare deflate of blocks that are stored as they are.
    private static func deflated(_ text: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        for start in stride(from: 0, to: text.count, by: 0xFFFF) {
            let block = text[start..<min(text.count, start + 0xFFFF)]
            let (low, high) = (UInt8(block.count & 0xFF), UInt8(block.count >> 8))
            output += [block.endIndex == text.count ? 1 : 0, low, high, ~low, ~high] + block
        }
        return output
    }

    @Test func `a long compressed body is read over several turns, and one that is streamed not at all`() throws {
        let fields = ["Content-Type: application/json", "Content-Encoding: deflate"]
        let pad = String(repeating: "x", count: 1_500_000)
        let body = Self.deflated(Array("{\"a\":\"\(pad)\",\"model\":\"secret-7b\"}".utf8))
        try Stage.run(Self.rules) {
            try $0.reply(body: $0.provider)
        } _: { stage throws in
            #expect(try ask(stage, body, fields).text == "b")
            #expect(stage.upstream.requests.map(\.body) == [body])
            let large = Self.deflated(Array("{\"model\":\"gpt-4\",\"a\":\"\(pad)\(pad)\"}".utf8))
            let answer = try ask(stage, large, fields)
            #expect(answer.status == 415 && answer.text.contains("too large to be read whole"))
        }
    }

    @Test(arguments: [
        ("/v1/ch%61t/completions", "lz4"), ("/v1/chat%2Fcompletions", "lz4"), ("/v1/rerank", "lz4"),
        ("/v1/rerank", "gzip"),
    ])
    func `an escaped or unknown path is no way around a rule`(path: String, coding: String) throws {
        try Stage.run(Self.rules) {
            try $0.reply()
        } _: { stage throws in
            let fields = ["Content-Type: application/json", "Content-Encoding: \(coding)"]
            #expect(try ask(stage, Array("what".utf8), fields, path: path).status == 415)
            #expect(stage.upstream.requests.isEmpty)
        }
    }

    @Test(arguments: [
        ("/v1/files", "text/plain"), ("/v1/rerank", "application/octet-stream"), ("/b/v1/embeddings", "a/b"),
    ])
    func `what names no model, or whose provider is named, goes its way`(path: String, type: String) throws {
        try Stage.run(Self.rules) {
            try $0.reply()
        } _: { stage throws in
            #expect(try ask(stage, Array("what".utf8), ["Content-Type: \(type)"], path: path).status == 200)
        }
    }

    @Test(arguments: ["/v1beta/models/secret%2D7b:generateContent", "/v1beta/models/secret-7b%3AgenerateContent"])
    func `a model is read from a path's plain form`(path: String) throws {
        let providers = [("a", "gpt-*"), ("b", "secret-*")].map {
            Stage.provider($0.0, kind: "gemini", leads: $0.0 == "a", path: "", "models = [\"\($0.1)\"]")
        }
        try Stage.run(.with { $0.providers = providers }) {
            try $0.reply(body: $0.provider)
        } _: { stage throws in
            let body = Array("{\"model\":\"gpt-4\"}".utf8)
            #expect(try ask(stage, body, ["Content-Type: application/json"], path: path).text == "b")
            #expect(stage.upstream.requests.first?.head.startLine.contains(path) == true)
        }
    }

    @Test func `a WebSocket's query decides, and one that names no model goes to nobody`() throws {
        let providers = [
            Stage.provider("a", leads: true, "models = [\"gpt-*\"]"),
            Stage.provider("b", "aliases = { \"my live\" = \"gpt-live 2\" }"),
        ]
        try Stage.run(.with { $0.providers = providers }) { call in
            try call.reply(400)
        } _: { stage throws in
            for (query, reason) in [("", "query has to name it"), ("?model=gpt-4&model=x", "names several")] {
                let caller = try stage.caller()
                try caller.askForWebSocket("/v1/realtime\(query)")
                let answer = try caller.answer()
                #expect(answer.status == 400 && answer.text.contains(reason), "\(answer.text)")
            }
            #expect(stage.upstream.requests.isEmpty)
            let caller = try stage.caller()
            try caller.askForWebSocket("/v1/realtime?a=1&model=my%20live")
            #expect(try caller.answer().status == 400)
            let line = stage.upstream.requests.first?.head.startLine
            #expect(line?.hasSuffix("/realtime?a=1&model=gpt-live%202 HTTP/1.1") == true, "\(line ?? "none")")
        }
    }

    @Test func `a model that stands behind what is read of a large body is not guessed`() throws {
        try Stage.run(Self.rules) {
            try $0.reply(body: $0.provider)
        } _: { stage throws in
            let pad = String(repeating: "x", count: 3 << 20)
            let late = try ask(
                stage, Array("{\"a\":\"\(pad)\",\"model\":\"secret-7b\"}".utf8), ["Content-Type: application/json"])
            #expect(late.status == 400 && late.text.contains("first 64 KiB"))
            let early = try ask(
                stage, Array("{\"model\":\"secret-7b\",\"a\":\"\(pad)\"}".utf8), ["Content-Type: application/json"])
            #expect(early.text == "b")
        }
    }
}
