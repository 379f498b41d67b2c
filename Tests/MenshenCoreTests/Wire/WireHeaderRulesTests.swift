// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import MenshenCore
import Testing

@Suite struct WireHeaderRulesTests {
    /// Names of the fields that go upstream.
    private func forwarded(_ head: RequestHead, replaced: Set<String> = []) -> [String] {
        let rules = HeaderRules(for: head, replaced: replaced)
        return head.fields.filter { rules.forwards($0, of: head) }.map { head.text($0.name) }
    }

    @Test(arguments: [
        "Authorization", "AUTHORIZATION", "Proxy-Authorization", "x-api-key", "X-API-Key", "api-key", "Api-Key",
        "x-goog-api-key",
        "X-Auth-Token", "X-Access-Token", "Cookie", "X-Amz-Security-Token", "X-Amz-Date", "X-Amz-Content-Sha256",
        "Ocp-Apim-Subscription-Key",
        "cf-aig-authorization",
        "OpenAI-Organization", "OpenAI-Project",
        "x-litellm-api-key", "X-LiteLLM-API-Key", "xi-api-key", "Helicone-Auth", "x-portkey-api-key", "x-bf-vk",
        "apikey",
        "x-subscription-token", "x_api_key", "X_Goog_Api_Key", "api_key", "x_litellm_api_key",
    ])
    func `a credential never goes upstream`(_ name: String) throws {
        let head = try wireHead("X-Before: 1", "\(name): SECRET", "X-After: 1")
        #expect(forwarded(head) == ["X-Before", "X-After"])
        #expect(forwarded(head, replaced: ["x-other"]) == ["X-Before", "X-After"])
    }

    @Test(arguments: [
        "X-Original-URL", "X-Rewrite-URL", "X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "Forwarded",
        "X-Forwarded-For", "X-Forwarded-Host", "x-forwarded-anything", "X-Real-IP", "x_original_url",
    ])
    func `what would lead a server past what was decided, or is anybody's word about the caller, stays here`(
        name: String
    ) throws {
        #expect(forwarded(try wireHead("X-Before: 1", "\(name): /admin", "X-After: 1")) == ["X-Before", "X-After"])
    }

    @Test func `a presented token is a credential under any name`() throws {
        let head = try wireHead(
            "Authorization: Bearer a-token-of-some-length", "X-Unheard-Of: a-token-of-some-length",
            "X-Other: Token a-token-of-some-length", "X-Near: a-token-of-some-lengths", "X-Short: length")
        #expect(forwarded(head) == ["X-Near", "X-Short"])
        // One that is too short to be told from any other word.
        #expect(forwarded(try wireHead("x-api-key: one", "X-Count: one")) == ["X-Count"])
    }

    @Test(arguments: [
        "Connection: keep-alive", "Keep-Alive: timeout=5", "Proxy-Connection: close", "TE: trailers", "Trailer: X-Sum",
        "Transfer-Encoding: chunked", "Upgrade: h2c", "Expect: 100-continue", "Content-Length: 5",
        "X-Menshen-Provider: x",
        "x-menshen-: x", "X-MENSHEN-A: x",
    ])
    func `what belongs to this hop stays here`(_ line: String) throws {
        #expect(forwarded(try wireHead(line, "X-After: 1")) == ["X-After"])
        #expect(forwarded(try wireHead(line, "X-After: 1"), replaced: ["x-other"]) == ["X-After"])
    }

    @Test func `every other field passes in its order and spelling`() throws {
        let names = [
            "Accept", "accept-encoding", "User-Agent", "Content-Type", "anthropic-version", "anthropic-beta",
            "OpenAI-Beta",
            "x-stainless-retry-count", "x-goog-api-client", "Origin", "X-Request-ID", "traceparent", "X-Menshenx",
            "X-Api-Keys", "Cookies",
        ]
        var parser = RequestParser()
        let text = "POST / HTTP/1.1\r\nHost: h\r\n" + names.map { "\($0): v\r\n" }.joined() + "\r\n"
        let bytes = Array(text.utf8)
        guard case .head(let head, _) = try parser.parse(bytes.span, limit: 1 << 16) else { throw WireIncomplete() }
        #expect(forwarded(head) == names)
        #expect(forwarded(head, replaced: ["x-other"]) == names)
    }

    @Test func `what Connection lists stays here, in any case of letters`() throws {
        let head = try wireHead(
            "Connection: close, X-Hop ,\tcontent-type", "x-hop: 1", "X-Hops: 2", "Content-Type: a/b",
            "connection: X-Second, keep-alive",
            "X-SECOND: 3", "Keep: 1")
        #expect(HeaderRules.connectionOptions(of: head) == ["x-hop", "content-type", "x-second"])
        #expect(forwarded(head) == ["X-Hops", "Keep"])
    }

    @Test func `close and keep-alive are no fields`() throws {
        #expect(HeaderRules.connectionOptions(of: try wireHead("Connection: Keep-Alive, CLOSE")).isEmpty)
        #expect(HeaderRules.connectionOptions(of: try wireHead()).isEmpty)
    }

    @Test func `a field that the configuration sets replaces the caller's`() throws {
        let head = try wireHead("User-Agent: mine", "X-Team: mine", "Accept: */*")
        #expect(forwarded(head, replaced: ["user-agent", "x-team"]) == ["Accept"])
    }
}
