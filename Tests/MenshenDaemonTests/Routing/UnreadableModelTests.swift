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

    private func ask(_ stage: Stage, _ body: [UInt8], _ fields: [String]) throws -> Answer {
        let caller = try stage.caller()
        try caller.send(
            Array(
                ("POST \(Self.path) HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(body.count)\r\n"
                    + fields.map { $0 + "\r\n" }.joined() + "\r\n").utf8) + body)
        return try caller.answer(to: "POST")
    }

    @Test(arguments: [
        ("{\"model\":\"secret-7b\"}", "Content-Type: application/x-www-form-urlencoded"),
        ("{\"model\":\"secret-7b\"}", "Content-Type: text/plain"), ("{\"model\":\"secret-7b\"}", "X-No-Type: 1"),
        ("\u{FEFF}{\"model\":\"secret-7b\"}", "Content-Type: application/json"),
        ("{\"mod\\u0065l\":\"secret-7b\"}", "Content-Type: application/json"),
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
        ("{\"model\":[\"secret-7b\"]}", "Content-Type: application/json", 400, "not a text"),
        ("{\"model\":\"secret-7b\"", "Content-Type: application/json", 400, "not JSON"),
        ("{\u{0}\"\u{0}m\u{0}", "Content-Type: application/json", 400, "UTF-16"),
        ("--x\r\n", "Content-Type: multipart/form-data", 400, "without a boundary"),
        ("what", "Content-Encoding: gzip", 415, "not what its Content-Encoding says"),
        ("what", "Content-Encoding: compress", 415, "none that menshen reads"),
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
