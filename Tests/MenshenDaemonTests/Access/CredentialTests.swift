// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

struct CredentialTests {
    /// Everything that could carry a caller's credential.
    private static let callers = [
        "Authorization: Bearer caller-secret", "Proxy-Authorization: Basic caller-secret", "x-api-key: caller-secret",
        "api-key: caller-secret", "x-goog-api-key: caller-secret", "X-Auth-Token: caller-secret",
        "X-Access-Token: caller-secret", "Cookie: a=caller-secret", "X-Amz-Security-Token: caller-secret",
        "X-Amz-Date: caller-secret", "X-Amz-Content-Sha256: caller-secret",
        "Ocp-Apim-Subscription-Key: caller-secret", "cf-aig-authorization: Bearer caller-secret",
        "OpenAI-Organization: caller-secret", "OpenAI-Project: caller-secret", "X-Menshen-Anything: caller-secret",
        "X-Goog-User-Project: caller-secret", "Referer: http://localhost/v1beta/models?alt=sse&key=caller-secret",
        "referer: http://localhost/ws?access_token=caller-secret",
    ]

    @Test func `no credential of a caller reaches the provider`() throws {
        try Stage.run {
            try $0.reply()
        } _: { stage throws in
            _ = try stage.ask(
                "POST", "/v1/x?key=caller-secret&a=1&KEY=kept",
                Self.callers + ["OpenAI-Beta: b=1", "Referer: http://localhost/v1/models"],
                body: "{}")
            let request = try #require(stage.upstream.requests.first)
            #expect(!request.head.text.contains("caller-secret"))
            #expect(request.target == "/v1/x?a=1&KEY=kept")
            #expect((request["OpenAI-Beta"], request["Referer"]) == ("b=1", "http://localhost/v1/models"))
            #expect(request.head.all("Authorization") == ["Bearer \(Stage.key)"])
        }
    }

    @Test(arguments: ["Authorization: Bearer Caller-secret", "x-api-key: Caller-secret", nil])
    func `a credential that was shown goes nowhere under another name either`(_ shown: String?) throws {
        try Stage.run {
            try $0.reply()
        } _: { stage throws in
            let own = shown == nil ? "key=Caller-secret&" : ""
            _ = try stage.ask(
                "POST", "/v1/x?\(own)gate=Caller%2Dsecret&pass=Bearer%20Caller-secret&a=1&q=Caller-secrets&model=m",
                [shown, "X-Gate: Caller-secret", "Referer: http://localhost/?gate=Caller-secret"].compactMap { $0 },
                body: "{}")
            let request = try #require(stage.upstream.requests.first)
            #expect(request.target == "/v1/x?a=1&q=Caller-secrets&model=m")
            #expect(request["X-Gate"] == nil)
            #expect(request["Referer"] == nil)
        }
    }

    @Test(arguments: [
        ("openai", "/v1", "/v1/models", "Authorization", "Bearer \(Stage.key)"),
        ("anthropic", "", "/v1/messages", "x-api-key", Stage.key),
        ("gemini", "", "/v1beta/models/g:generateContent", "x-goog-api-key", Stage.key),
        ("bedrock", "", "/model/a.b-v1%3A0/converse", "Authorization", "Bearer \(Stage.key)"),
        ("azure", "", "/openai/deployments/d/chat/completions?api-version=1", "api-key", Stage.key),
    ])
    func `each kind gets the key where it looks for it`(
        kind: String, base: String, target: String, name: String, value: String
    ) throws {
        try Stage.run(
            .with {
                $0.kind = kind
                $0.basePath = base
            }
        ) {
            try $0.reply()
        } _: { stage throws in
            #expect(
                try stage.ask("POST", target, Self.callers + ["Content-Type: application/json"], body: "{}").status
                    == 200)
            let request = try #require(stage.upstream.requests.first)
            #expect(request.target == target)
            #expect(request.head.all(name) == [value])
            for other in ["Authorization", "x-api-key", "x-goog-api-key", "api-key"] where other != name {
                #expect(request[other] == nil, "\(other)")
            }
            #expect(!request.head.text.contains("caller-secret"))
            #expect(request["anthropic-version"] == (kind == "anthropic" ? "2023-06-01" : nil))
        }
    }

    @Test func `the caller's anthropic-version and betas are kept`() throws {
        try Stage.run(
            .with {
                $0.kind = "anthropic"
                $0.basePath = ""
            }
        ) {
            try $0.reply()
        } _: { stage throws in
            let fields = ["anthropic-version: 2024-01-01", "anthropic-beta: a,b", "anthropic-workspace-id: w"]
            _ = try stage.ask("POST", "/v1/messages?beta=true", fields, body: "{}")
            let request = try #require(stage.upstream.requests.first)
            #expect(request.head.all("anthropic-version") == ["2024-01-01"])
            #expect(request["anthropic-beta"] == "a,b")
            #expect(request["anthropic-workspace-id"] == "w")
            #expect(request.target == "/v1/messages?beta=true")
        }
    }

    @Test(arguments: [("anthropic", "sk-ant-oat01-abc"), ("azure", "eyJ0eXAiOiJKV1Qi.eyJhdWQi.c2ln")])
    func `a token in place of a key goes where that is taken`(kind: String, token: String) throws {
        try Stage.run(
            .with {
                $0.kind = kind
                $0.basePath = ""
                $0.key = "api_key = \"\(token)\""
            }
        ) {
            try $0.reply()
        } _: { stage throws in
            _ = try stage.ask("POST", "/v1/messages", body: "{}")
            let request = try #require(stage.upstream.requests.first)
            #expect(request["Authorization"] == "Bearer \(token)")
            #expect((request["x-api-key"], request["api-key"]) == (nil, nil))
        }
    }

    @Test func `a provider's own headers replace a caller's of the same name`() throws {
        try Stage.run(
            .with {
                $0.provider = #"headers = { "X-Team" = "research", "OpenAI-Organization" = "${ORG}", "X-Blank" = "" }"#
                $0.daemon.environment["ORG"] = "org-1"
            }
        ) {
            try $0.reply()
        } _: { stage throws in
            _ = try stage.ask("GET", "/v1/x", ["x-team: mine", "X-Other: kept", "X-Blank: b"])
            let request = try #require(stage.upstream.requests.first)
            #expect(request.head.all("X-Team") == ["research"])
            #expect(request.head.all("OpenAI-Organization") == ["org-1"])
            #expect(request.head.all("X-Blank") == [""])
            #expect(request["X-Other"] == "kept")
        }
    }
}
