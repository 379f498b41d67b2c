// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

/// A provider's base path, a caller's path, and what must go upstream.
struct WireJoin: Sendable, CustomTestStringConvertible {
    let base: String
    let kind: Dialect
    let path: String
    let upstream: String

    init(_ base: String, _ kind: Dialect, _ path: String, _ upstream: String) {
        self.base = base
        self.kind = kind
        self.path = path
        self.upstream = upstream
    }

    var testDescription: String { "\(kind) \(base.isEmpty ? "no path" : base) + \(path)" }
}

@Suite struct WireTargetTests {
    private func make(_ path: String, _ query: String? = nil, names: Set<String> = []) -> RequestTarget? {
        RequestTarget(path: path, query: query, providerNames: names)
    }

    @Test(arguments: wireJoins) func `base and path are joined as people mean them`(_ join: WireJoin) throws {
        let target = try #require(make(join.path))
        #expect(target.upstream(base: join.base, kind: join.kind) == join.upstream)
        let withQuery = try #require(make(join.path, "a=b"))
        #expect(withQuery.upstream(base: join.base, kind: join.kind) == join.upstream + "?a=b")
    }

    // MARK: The provider's name

    @Test(arguments: [
        ("/groq/v1/chat/completions", "groq", "/v1/chat/completions"),
        ("/groq/chat/completions", "groq", "/chat/completions"),
        ("/groq", "groq", "/"), ("/groq/", "groq", "/"), ("//groq//v1//models", "groq", "/v1/models"),
        ("/groq/groq/v1", "groq", "/groq/v1"), ("/openai/v1/models", "openai", "/v1/models"),
    ])
    func `a first segment that is a provider's name chooses it`(_ path: String, _ name: String, _ rest: String) throws {
        let target = try #require(make(path, names: ["groq", "openai"]))
        #expect(target.providerName == name)
        #expect(target.path == rest)
    }

    @Test(arguments: [
        "/v1/chat/completions", "/groqs/v1", "/GROQ/v1", "/v1/groq/models", "/", "/%67roq/v1",
        "/openai/deployments/gpt/chat/completions",
    ])
    func `any other path chooses none and stays whole`(_ path: String) throws {
        let target = try #require(make(path, names: ["groq", "openai"]))
        #expect(target.providerName == nil)
        #expect(target.path == path)
    }

    @Test func `a path of Azure's that a provider's name begins is told by its version`() throws {
        for path in ["/openai/files", "/openai/responses", "/openai/v1/files"] {
            let azure = try #require(make(path, "a=b&api-version=2024-10-21", names: ["openai"]))
            #expect((azure.providerName, azure.path) == (nil, path))
            #expect(try #require(make(path, "a=api-version=1", names: ["openai"])).providerName == "openai")
        }
    }

    // MARK: Credentials in the query

    @Test(arguments: [
        ("key=SECRET", nil, "SECRET"), ("key=SECRET&alt=sse", "alt=sse", "SECRET"),
        ("alt=sse&key=SECRET", "alt=sse", "SECRET"),
        ("a=1&key=SECRET&b=2", "a=1&b=2", "SECRET"), ("k%65y=SECRET", nil, "SECRET"),
        ("%6B%65%79=SECRET&x=y", "x=y", "SECRET"),
        ("key=S%45CRET", nil, "SECRET"), ("key=first&key=SECRET", nil, "SECRET"), ("key", nil, ""), ("key=", nil, ""),
        ("key=a=b", nil, "a=b"),
    ])
    func `a key in the query is taken out, however it is written`(_ query: String, _ rest: String?, _ key: String)
        throws
    {
        let target = try #require(make("/v1beta/models", query))
        #expect(target.query == rest)
        #expect(target.queryKey == key)
        #expect(!target.upstream(base: "/v1beta", kind: .gemini).contains("SECRET"))
    }

    @Test(arguments: ["monkey=1", "keys=1", "key2=1", "a=key", "Key=1", "a=key%3D1", "%2565y=1", "a&b&&c=%zz"])
    func `any other query passes unchanged`(_ query: String) throws {
        let target = try #require(make("/v1/models", query))
        #expect(target.query == query)
        #expect(target.queryKey == nil)
    }

    @Test func `an empty query is none`() throws {
        #expect(try #require(make("/v1/models", "")).query == nil)
        #expect(try #require(make("/v1/models", nil)).query == nil)
    }

    // MARK: Dot segments

    @Test(arguments: [
        "/..", "/.", "/../v1", "/v1/../admin", "/v1/./models", "/v1/..", "/v1/%2e%2e/admin", "/v1/%2E./admin",
        "/v1/.%2e", "/v1/..%00/x", "/v1/.%00.", "/v1/x%0a", "/v1/..%20/x", "/v1/%c0%ae%c0%ae/x",
        "/v1/%2e", "/v1/%2e/x", "/groq/../openai", "/v1//../x", "/v1/..%2fadmin", "/v1/%2e%2e%2Fadmin",
        "/v1/a%2f..%2fb",
        "/v1/..%5cadmin", "/v1/..\\admin", "/v1/..;/admin", "/v1/..;a=b/admin", "/v1/x%2f.%2fy",
    ])
    func `a path with dot segments, plain or hidden, is refused`(_ path: String) {
        #expect(make(path, names: ["groq"]) == nil)
    }

    @Test(arguments: [
        "/v1/models/gpt-4.1", "/v1/...", "/v1/..a", "/v1/a..", "/v1/.well-known", "/v1/%2e%2e%2e", "/v1/org%2Fmodel",
        "/v1/models/a%2F.b", "/v1/%252e%252e/x", "/v1/files/a.b.c",
    ])
    func `dots that are part of a name pass`(_ path: String) {
        #expect(make(path)?.path == path)
    }
}

let wireJoins: [WireJoin] = [
    // OpenAI: https://api.openai.com/v1, and without /v1.
    .init("/v1", .openai, "/v1/chat/completions", "/v1/chat/completions"),
    .init("/v1", .openai, "/chat/completions", "/v1/chat/completions"),
    .init("/v1", .openai, "/v1/v1/chat/completions", "/v1/chat/completions"),
    .init("/v1", .openai, "/v1/v1/v1/models", "/v1/models"),
    .init("/v1", .openai, "//v1//chat/completions", "/v1/chat/completions"),
    .init("/v1", .openai, "/v1//chat/completions", "/v1/chat/completions"),
    .init("/v1", .openai, "/v1", "/v1"),
    .init("/v1", .openai, "/v1/", "/v1/"),
    .init("/v1", .openai, "/v1/models/v1", "/v1/models/v1"),
    .init("/v1", .openai, "/v12/models", "/v1/v12/models"),
    .init("/v1", .openai, "/v2/rerank", "/v2/rerank"),
    .init("", .openai, "/v1/chat/completions", "/v1/chat/completions"),
    .init("", .openai, "/chat/completions", "/v1/chat/completions"),
    .init("", .openai, "/v1/v1/responses", "/v1/responses"),
    .init("", .openai, "//v1/responses", "/v1/responses"),
    .init("", .openai, "/responses/resp_1/cancel", "/v1/responses/resp_1/cancel"),
    .init("", .openai, "/models", "/v1/models"),
    .init("", .openai, "/api/tags", "/api/tags"),
    .init("", .openai, "/", "/"),
    // Anthropic: base URL without /v1, or with.
    .init("", .anthropic, "/v1/messages", "/v1/messages"),
    .init("", .anthropic, "/messages", "/v1/messages"),
    .init("", .anthropic, "/v1/messages/count_tokens", "/v1/messages/count_tokens"),
    .init("/v1", .anthropic, "/v1/messages", "/v1/messages"),
    .init("/v1", .anthropic, "/messages", "/v1/messages"),
    .init("/v1", .anthropic, "/v1/v1/messages", "/v1/messages"),
    .init("", .anthropic, "/api/claude", "/api/claude"),
    // Gemini: the caller's version is meant.
    .init("", .gemini, "/v1beta/models/g:generateContent", "/v1beta/models/g:generateContent"),
    .init("", .gemini, "/models/g:generateContent", "/v1beta/models/g:generateContent"),
    .init("/v1beta", .gemini, "/v1beta/models/g:generateContent", "/v1beta/models/g:generateContent"),
    .init("/v1beta", .gemini, "/models/g:generateContent", "/v1beta/models/g:generateContent"),
    .init("/v1beta", .gemini, "/v1/models/g:generateContent", "/v1/models/g:generateContent"),
    .init("/v1beta", .gemini, "/v1alpha/models/g:generateContent", "/v1alpha/models/g:generateContent"),
    .init("/v1beta", .gemini, "/v1beta/v1beta/models", "/v1beta/models"),
    .init("", .gemini, "/upload/v1beta/files", "/upload/v1beta/files"),
    .init("/v1beta", .gemini, "/upload/v1beta/files", "/upload/v1beta/files"),
    .init("/gate/v1beta", .gemini, "/download/v1beta/files/f:download", "/gate/download/v1beta/files/f:download"),
    .init("/v1beta", .gemini, "/v1beta/openai/chat/completions", "/v1beta/openai/chat/completions"),
    .init("/v1beta/openai", .openai, "/v1/chat/completions", "/v1beta/openai/chat/completions"),
    .init("/v1beta/openai", .gemini, "/v1/chat/completions", "/v1beta/openai/chat/completions"),
    .init("/v1beta/openai", .openai, "/chat/completions", "/v1beta/openai/chat/completions"),
    // Azure: deployments, and the newer /openai/v1.
    .init("", .azure, "/openai/deployments/d/chat/completions", "/openai/deployments/d/chat/completions"),
    .init("/openai", .azure, "/openai/deployments/d/chat/completions", "/openai/deployments/d/chat/completions"),
    .init("/openai", .azure, "/deployments/d/embeddings", "/openai/deployments/d/embeddings"),
    .init("/openai/v1", .azure, "/v1/chat/completions", "/openai/v1/chat/completions"),
    .init("/openai/v1", .azure, "/openai/v1/responses", "/openai/v1/responses"),
    .init("/openai/v1", .azure, "/chat/completions", "/openai/v1/chat/completions"),
    .init("", .azure, "/openai/v1/responses", "/openai/v1/responses"),
    .init("", .azure, "/openai/files", "/openai/files"),
    .init("/openai/v1", .azure, "/openai/deployments/d/embeddings", "/openai/deployments/d/embeddings"),
    .init("/gate/openai/v1/", .azure, "/openai/files", "/gate/openai/files"),
    .init("/gate", .azure, "/openai/v1/responses", "/gate/openai/v1/responses"),
    .init("/openai", .azure, "/openai/batches", "/openai/batches"),
    // Vertex.
    .init(
        "/v1", .openai, "/v1/projects/p/publishers/anthropic/models/c@1:rawPredict",
        "/v1/projects/p/publishers/anthropic/models/c@1:rawPredict"),
    .init("/v1", .openai, "/projects/p/models/c:rawPredict", "/v1/projects/p/models/c:rawPredict"),
    .init("", .bedrock, "/model/a.b-v2%3A0/converse", "/model/a.b-v2%3A0/converse"),
    .init("", .bedrock, "/model/a.b-v2:0/invoke", "/model/a.b-v2%3A0/invoke"),
    .init("/gate", .bedrock, "/model/arn%3Aaws%2Fx~y/converse", "/gate/model/arn%3Aaws%2Fx~y/converse"),
    .init("", .bedrock, "/models", "/models"),
    .init("/openai/v1", .bedrock, "/v1/chat/completions", "/openai/v1/chat/completions"),
    // Cloudflare AI Gateway: /v1/ACCOUNT/GATEWAY/PROVIDER, whose own version is not the API's.
    .init("/v1/acc/gw/openai", .openai, "/v1/chat/completions", "/v1/acc/gw/openai/chat/completions"),
    .init("/v1/acc/gw/openai", .openai, "/chat/completions", "/v1/acc/gw/openai/chat/completions"),
    .init("/v1/acc/gw/compat", .openai, "/v1/chat/completions", "/v1/acc/gw/compat/chat/completions"),
    .init("/v1/acc/gw/anthropic", .anthropic, "/v1/messages", "/v1/acc/gw/anthropic/v1/messages"),
    .init("/v1/acc/gw/anthropic", .anthropic, "/v1/models", "/v1/acc/gw/anthropic/v1/models"),
    .init(
        "/v1/acc/gw/google-ai-studio", .gemini, "/v1beta/models/g:generateContent",
        "/v1/acc/gw/google-ai-studio/v1beta/models/g:generateContent"),
    // Groq, OpenRouter, DeepSeek, Z.ai, Ark, and a proxy under a path of its own.
    .init("/openai/v1", .openai, "/v1/chat/completions", "/openai/v1/chat/completions"),
    .init("/openai/v1", .openai, "/openai/v1/chat/completions", "/openai/v1/chat/completions"),
    .init("/openai/v1", .openai, "/models", "/openai/v1/models"),
    .init("/api/v1", .openai, "/v1/chat/completions", "/api/v1/chat/completions"),
    .init("/api/v1", .openai, "/api/v1/chat/completions", "/api/v1/chat/completions"),
    .init("/api/v1", .openai, "/chat/completions", "/api/v1/chat/completions"),
    .init("/api/v1", .openai, "/v1/messages", "/api/v1/messages"),
    .init("/anthropic", .anthropic, "/v1/messages", "/anthropic/v1/messages"),
    .init("/anthropic", .anthropic, "/anthropic/v1/messages", "/anthropic/v1/messages"),
    .init("/api/paas/v4", .openai, "/v1/chat/completions", "/api/paas/v4/chat/completions"),
    .init("/api/paas/v4", .openai, "/v4/chat/completions", "/api/paas/v4/chat/completions"),
    .init("/api/paas/v4", .openai, "/chat/completions", "/api/paas/v4/chat/completions"),
    .init("/api/v3", .openai, "/v1/chat/completions", "/api/v3/chat/completions"),
    .init("/llm", .openai, "/v1/chat/completions", "/llm/v1/chat/completions"),
    .init("/llm", .openai, "/llm/llm/v1/models", "/llm/v1/models"),
]
