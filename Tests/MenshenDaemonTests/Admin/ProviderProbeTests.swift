// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

@testable import MenshenDaemon

struct ProviderProbeTests {
    private func probe(_ status: Int, _ fields: [(name: String, value: String)] = [], _ body: String = "")
        -> ProviderProbe
    {
        ProviderProbe(
            AdminClient.Answer(status: status, fields: fields, body: Array(body.utf8)), milliseconds: 1)
    }

    @Test(
        arguments: [
            (200, .works), (204, .works), (401, .refused), (403, .refused), (429, .limited), (404, .unclear),
            (500, .unclear),
            (302, .unclear), (400, .unclear),
        ] as [(Int, ProviderProbe.Verdict)])
    func `a provider's status tells what it thinks of the key`(status: Int, verdict: ProviderProbe.Verdict) {
        #expect(probe(status).verdict == verdict)
    }

    @Test func `Google's and AWS's words are their own`() {
        let google = #"{"error":{"code":400,"message":"API key not valid. Please pass a valid API key."}}"#
        #expect(probe(400, [], google).verdict == .refused)
        let denied = [(name: "x-amzn-errortype", value: "AccessDeniedException:http://internal")]
        #expect(probe(403, denied, #"{"message":"not authorized to perform"}"#).verdict == .works)
        let unknown = [(name: "x-amzn-errortype", value: "UnrecognizedClientException")]
        let refused = probe(403, unknown, #"{"message":"The security token is invalid."}"#)
        #expect(refused.verdict == .refused && refused.message == "The security token is invalid.")
    }

    @Test(
        arguments: [
            ("upstream_unreachable", 502, .unreachable), ("upstream_timeout", 504, .unreachable),
            ("key_unavailable", 503, .notAsked), ("provider_paused", 429, .notAsked), ("no_provider", 503, .notAsked),
        ] as [(String, Int, ProviderProbe.Verdict)])
    func `menshen's own answer is not the provider's`(code: String, status: Int, verdict: ProviderProbe.Verdict) {
        let body = #"{"error":{"message":"Because.","type":"server_error"}}"#
        let probe = probe(status, [(name: "x-menshen-error", value: code)], body)
        #expect(probe.verdict == verdict && probe.message == "Because.")
    }

    @Test func `what a provider says is fit for a terminal`() {
        #expect(probe(401, [], "{\"error\":{\"message\":\"a\\u001b[2Jb\\nc\"}}").message == "a?[2Jb?c")
        #expect(probe(401, [], "<html>").message.isEmpty && probe(200, [], #"{"message":"x"}"#).message.isEmpty)
    }

    @Test func `each kind of provider is asked what its own servers answer`() throws {
        let paths = try [
            ("openai", "https://api.openai.com/v1"), ("openai", "https://openrouter.ai/api/v1"),
            ("anthropic", "https://api.anthropic.com"), ("gemini", "https://generativelanguage.googleapis.com"),
            ("azure", "https://x.openai.azure.com"), ("bedrock", "https://bedrock-runtime.us-east-1.amazonaws.com"),
        ].map { kind, base in
            let address = try #require(BaseURL(base))
            let path = try #require(Dialect(rawValue: kind)).api.probe(address)
            let parts = path.split(separator: "?", maxSplits: 1)
            let target = try #require(
                RequestTarget(
                    path: "/p" + parts[0], query: parts.count > 1 ? String(parts[1]) : nil, providerNames: ["p"]))
            #expect(target.providerName == "p")
            return target.upstream(base: address.path, kind: try #require(Dialect(rawValue: kind)))
        }
        #expect(
            paths == [
                "/v1/models", "/api/v1/key", "/v1/models?limit=1", "/v1beta/models?pageSize=1", "/openai/v1/models",
                "/async-invoke?maxResults=1",
            ])
    }
}
