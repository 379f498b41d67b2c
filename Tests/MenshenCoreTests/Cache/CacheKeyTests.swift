// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import MenshenCore
import Testing

@Suite struct CacheKeyTests {
    private static let body = #"{"model":"m","messages":[{"role":"user","content":"Good morning"}]}"#

    private func key(
        _ body: String = Self.body, _ lines: [String] = [], method: String = "POST",
        _ parts: CacheKeyParts = Self.parts()
    ) throws -> CacheKey? {
        let text = "\(method) / HTTP/1.1\r\nHost: h\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
        var parser = RequestParser()
        guard case .head(let head, _) = try parser.parse(Array(text.utf8).span, limit: 1 << 20) else {
            throw WireIncomplete()
        }
        return CacheKey(parts, head, body: Array(body.utf8))
    }

    private static func parts(
        _ operation: MenshenCore.Operation = .chat, path: String = "/v1/chat/completions", dialect: Dialect = .openai,
        query: String? = nil, _ change: (inout CacheKeyParts) -> Void = { _ in }
    ) -> CacheKeyParts {
        var parts = CacheKeyParts(dialect: dialect, operation: operation, path: path, query: query)
        parts.providers = [["openai", "https://api.openai.com/v1"]]
        parts.model = "m"
        parts.caller = ["uid 1000"]
        change(&parts)
        return parts
    }

    @Test func `a key has 32 bytes, is the same for the same request and hardly for another`() throws {
        let key = try #require(try key())
        #expect(key.bytes.count == 32)
        #expect(try self.key() == key)
        #expect(try self.key(#"{ "messages": [ {"content":"Good morning", "role":"user"} ], "model":"m" }"#) == key)
        #expect(try self.key(Self.body.replacing("morning", with: "evening")) != key)
        #expect(try self.key(Self.body.replacing("morning", with: "evening"))?.bytes != key.bytes)
    }

    @Test(arguments: CacheKey.ownMembers)
    func `answers that callers share are told apart by who asks, which answers may repeat`(name: String) throws {
        let shared = Self.parts { $0.isShared = true }
        let one = try key(Self.body.dropLast() + ",\"\(name)\":\"a\"}", [], shared)
        #expect(try one != key(Self.body.dropLast() + ",\"\(name)\":\"b\"}", [], shared))
        #expect(try one == key(Self.body.dropLast() + ",\"\(name)\":\"a\"}", [], shared))
    }

    @Test(arguments: CacheKey.ownMembers + ["stream_options"])
    func `members that say only who asks are left out`(name: String) throws {
        #expect(try key(Self.body.dropLast() + ",\"\(name)\":{\"a\":1}}") == key())
        #expect(try key(Self.body.dropLast() + ",\"\(name)\":\"b\"}") == key())
        #expect(try key(Self.body.dropLast() + ",\"\(name)x\":\"b\"}") != key())
    }

    @Test func `every part makes a difference, and none flows into the next`() throws {
        let all = [
            Self.parts(), Self.parts(.completions), Self.parts(path: "/chat/completions"), Self.parts(dialect: .azure),
            Self.parts(query: "a=1"), Self.parts(query: ""), Self.parts { $0.model = nil },
            Self.parts { $0.model = "" },
            Self.parts { $0.model = "n" }, Self.parts { $0.isStream = true }, Self.parts { $0.showsUsage = true },
            Self.parts { $0.caller = [] }, Self.parts { $0.caller = ["uid 1000", "token a"] },
            Self.parts { $0.caller = ["uid 1000token a"] }, Self.parts { $0.caller = ["token a"] },
            Self.parts { $0.providers = [] }, Self.parts { $0.providers = [[]] },
            Self.parts { $0.providers = [["openai"], ["https://api.openai.com/v1"]] },
            Self.parts { $0.providers = [["openaihttps://api.openai.com/v1"]] },
            Self.parts { $0.providers = [["openai", "https://api.openai.com/v1", "model"]] },
        ]
        let keys = try all.map { try key(Self.body, [], $0) }
        #expect(keys.allSatisfy { $0 != nil })
        #expect(Set(keys).count == all.count)
    }

    private func key(_ body: String, _ lines: [String], _ parts: CacheKeyParts) throws -> CacheKey? {
        try key(body, lines, method: "POST", parts)
    }

    @Test(arguments: [
        "anthropic-version: 2023-06-01", "Anthropic-Beta: x", "OpenAI-Beta: assistants=v2", "x-portkey-config: a",
        "Accept-Encoding: gzip", "Accept: text/event-stream",
    ])
    func `header fields that reach the provider count`(line: String) throws {
        #expect(try key(Self.body, [line], Self.parts()) != key())
        #expect(try key(Self.body, [line + "2"], Self.parts()) != key(Self.body, [line], Self.parts()))
    }

    @Test(arguments: [
        "Authorization: Bearer secret", "x-api-key: secret", "OpenAI-Organization: org", "User-Agent: a",
        "x-stainless-retry-count: 1", "X-Goog-Api-Client: a", "Cookie: a=b", "traceparent: 00-a", "Connection: close",
        "X-Menshen-Note: a", "Idempotency-Key: a", "Cache-Control: max-age=60", "Accept-Encoding: identity",
        "Accept-Encoding: gzip;q=0",
    ])
    func `header fields that say nothing about the answer do not`(line: String) throws {
        #expect(try key(Self.body, [line], Self.parts()) == key())
    }

    @Test func `codings count as a set, and fields by name`() throws {
        let parts = Self.parts()
        #expect(
            try key(Self.body, ["Accept-Encoding: gzip, deflate;q=0.5", "Accept: a"], parts)
                == key(Self.body, ["accept: a", "accept-encoding: DEFLATE,gzip;q=1"], parts))
        #expect(
            try key(Self.body, ["Accept: a", "Accept: b"], parts)
                != key(Self.body, ["Accept: b", "Accept: a"], parts))
    }

    private typealias Case = (method: String, path: String, body: String, isCached: Bool)

    @Test(arguments: [
        ("POST", "/v1/chat/completions", "{}", true), ("GET", "/v1/chat/completions", "{}", false),
        ("PUT", "/v1/chat/completions", "{}", false), ("POST", "/v1/chat/completions/chatcmpl-1", "{}", false),
        ("POST", "/v1/chat/completions", "", false), ("POST", "/v1/chat/completions", "[]", false),
        ("POST", "/v1/completions", "{}", true), ("POST", "/v1/embeddings", "{}", true),
        ("POST", "/openai/deployments/d/chat/completions", "{}", true),
        ("POST", "/openai/deployments/d/embeddings", "{}", true),
        ("POST", "/v1/responses", "{}", true), ("POST", "/v1/responses/resp_1/cancel", "{}", false),
        ("POST", "/v1/responses/input_tokens", "{}", false),
        ("POST", "/v1/responses", #"{"background":true}"#, false),
        ("POST", "/v1/responses", #"{"background":false,"previous_response_id":null}"#, true),
        ("POST", "/v1/responses", #"{"previous_response_id":"resp_1"}"#, false),
        ("POST", "/v1/responses", #"{"conversation":{"id":"c"}}"#, false),
        ("POST", "/v1/responses", #"{"tools":[{"type":"function"},{"type":"web_search_preview"}]}"#, true),
        ("POST", "/v1/responses", #"{"tools":[{"type":"function"},{"type":"mcp"}]}"#, false),
        ("POST", "/v1/responses", #"{"tools":[{"type":"code_interpreter"}]}"#, false),
        ("POST", "/v1/messages", "{}", true), ("POST", "/v1/messages/count_tokens", "{}", false),
        ("POST", "/v1/messages/batches", "{}", false), ("POST", "/v1/messages", #"{"container":"c"}"#, false),
        ("POST", "/v1/messages", #"{"tools":[{"type":"code_execution_20250522","name":"x"}]}"#, false),
        ("POST", "/v1/messages", #"{"tools":[{"name":"get_weather"}]}"#, true),
        ("POST", "/v1/messages", #"{"mcp_servers":[{"url":"u"}]}"#, false),
        ("POST", "/v1beta/models/g:generateContent", "{}", true),
        ("POST", "/v1beta/models/g:streamGenerateContent", "{}", true),
        ("POST", "/v1beta/models/g:embedContent", "{}", true),
        ("POST", "/v1beta/models/g:batchEmbedContents", "{}", true),
        ("POST", "/v1beta/models/g:countTokens", "{}", false), ("POST", "/v1beta/cachedContents", "{}", false),
        ("POST", "/v1/images/generations", "{}", false), ("POST", "/v1/audio/speech", "{}", false),
        ("POST", "/v1/moderations", "{}", false), ("POST", "/v1/files", "{}", false),
        ("POST", "/v1/batches", "{}", false), ("POST", "/v1/threads/t/messages", "{}", false),
        ("POST", "/v1/threads/runs", "{}", false), ("POST", "/model/m/converse", "{}", false),
        ("POST", "/model/m/invoke", "{}", false), ("POST", "/v1/anything", "{}", false),
    ])
    func `what is cached`(method: String, path: String, body: String, isCached: Bool) throws {
        let dialect = Dialect(path: path)
        let parts = CacheKeyParts(
            dialect: dialect, operation: MenshenCore.Operation(dialect, path: path), path: path, query: nil)
        #expect((try key(body, [], method: method, parts) != nil) == isCached)
    }

    @Test func `scopes`() {
        #expect(CacheScope.instance.identity(tokenName: "a", uid: 1) == [])
        #expect(CacheScope.caller.identity(tokenName: "a", uid: 1) == ["token a", "uid 1"])
        #expect(
            CacheScope.caller.identity(tokenName: nil, uid: 1) != CacheScope.caller.identity(tokenName: "1", uid: nil))
        #expect(CacheScope.caller.identity(tokenName: nil, uid: nil) == [])
    }

    @Test func `a provider is described by its settings, never by a secret`() throws {
        let address = try #require(BaseURL("https://api.openai.com/v1"))
        var provider = Provider(name: "openai", kind: .openai, baseURL: address, key: .inline(Secret("CANARY-key")))
        let plain = CacheKeyParts.describe(provider)
        provider.headers = [.init(name: "X-Team", value: Secret("CANARY"), isSecret: false)]
        let first = CacheKeyParts.describe(provider)
        provider.headers = [.init(name: "X-Team", value: Secret("CANARY2"), isSecret: false)]
        let second = CacheKeyParts.describe(provider)
        #expect(Set([plain, first, second]).count == 3)
        #expect(!"\(plain)\(first)\(second)".contains("CANARY"))
    }
}
