// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

/// Which provider a model leads to, and what it is asked for in its place.
struct ModelTests {
    /// What the only provider saw.
    private func seen(
        _ kind: String, _ more: String, _ target: String, fields: [String] = [], _ body: String, path: String = "/v1"
    ) throws -> RecordedRequest {
        var seen: [RecordedRequest] = []
        let setting = Stage.Setting.with { $0.providers = [Stage.provider("p", kind: kind, path: path, more)] }
        try Stage.run(setting) {
            try $0.reply()
        } _: { stage throws in
            #expect(try stage.ask("POST", target, fields, body: body).status == 200)
            seen = stage.upstream.requests
        }
        return try #require(seen.first)
    }

    @Test func `patterns choose the provider, and a model that nobody has is a 404 in the words of its API`() throws {
        let setting = Stage.Setting.with {
            $0.providers = [
                Stage.provider("gpt", "models = [\"gpt-*\", \"o3\"]"),
                Stage.provider("fast", "models = [\"none\"]\naliases = { fast = \"gpt-mini\" }"),
                Stage.provider("claude", kind: "anthropic", "models = [\"claude-*\"]"),
                Stage.provider("gemini", kind: "gemini", path: "/v1beta", "models = [\"gemini-*\"]"),
            ]
        }
        try Stage.run(setting) {
            try $0.reply(body: $0.provider)
        } _: { stage throws in
            let chat = "/v1/chat/completions"
            for (target, model, provider) in [
                (chat, "gpt-4", "gpt"), (chat, "o3", "gpt"), (chat, "fast", "fast"),
                ("/v1/messages", "claude-x", "claude"),
                ("/v1beta/models/gemini-x:generateContent", "ignored", "gemini"),
            ] {
                #expect(try stage.ask("POST", target, body: "{\"model\":\"\(model)\"}").text == provider, "\(model)")
            }
            for (target, model, mark) in [
                (chat, "o3-x", #""code":"model_not_routed""#), ("/v1/messages", "gpt-4", #""type":"not_found_error""#),
                ("/v1beta/models/palm:generateContent", "x", #""status":"NOT_FOUND""#),
            ] {
                let answer = try stage.ask("POST", target, body: "{\"model\":\"\(model)\"}")
                #expect((answer.status, answer.problem) == (404, "model_not_routed"))
                #expect(answer["x-should-retry"] == "false" && answer.text.contains(mark), "\(answer.text)")
            }
            let rows = try stage.records().filter { $0.problem == "model_not_routed" }
            #expect(rows.count == 3 && rows.allSatisfy { $0.attempts.isEmpty && $0.endState == "refused" })
        }
    }

    @Test func `in JSON the name changes and no other byte`() throws {
        let body =
            "{\n \"messages\" : [ {\"model\": \"fast\", \"content\": \"\\u00e9 é\"} ],\r\n \"model\"\t: \"fa\\u0073t\" , \"seed\": 1.0E+2}"
        let request = try seen("openai", "aliases = { fast = \"the \\\"new\\\" one\" }", "/v1/chat/completions", body)
        let name = #""the \"new\" one""#
        #expect(request.text == body.replacing(#""fa\u0073t""#, with: name))
        #expect(request["Content-Length"] == "\(request.body.count)")
    }

    @Test func `in a form the field changes and no other byte`() throws {
        let body = [
            "--b", "Content-Disposition: form-data; name=\"file\"; filename=\"model\"", "", "fast\u{0}fast", "--b",
            "Content-Disposition: form-data; name=\"model\"", "", "fast", "--b--", "",
        ].joined(separator: "\r\n")
        let request = try seen(
            "openai", "aliases = { fast = \"whisper-large\" }", "/v1/audio/transcriptions",
            fields: ["Content-Type: multipart/form-data; boundary=b"], body)
        #expect(request.text == body.replacing("\r\n\r\nfast\r\n--b--", with: "\r\n\r\nwhisper-large\r\n--b--"))
        #expect(request["Content-Length"] == "\(request.body.count)")
    }

    @Test func `where the path has the model, the path changes and the body does not`() throws {
        let body = #"{"model":"fast","contents":[]}"#
        let gemini = try seen(
            "gemini", "aliases = { fast = \"gemini-2\" }", "/v1beta/models/fast:streamGenerateContent?alt=sse", body,
            path: "/v1beta")
        #expect(gemini.target == "/p/v1beta/models/gemini-2:streamGenerateContent?alt=sse" && gemini.text == body)
        let azure = try seen(
            "azure", "model = \"deep\"", "/openai/deployments/fast/chat/completions?api-version=1", body, path: "")
        #expect(azure.target == "/p/openai/deployments/deep/chat/completions?api-version=1" && azure.text == body)
    }
}
