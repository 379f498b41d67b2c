// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

/// What cost depends on beside the number of tokens.
@Suite struct UsageFactsTests {
    private func usage(_ operation: MenshenCore.Operation, _ object: String) throws -> Usage {
        var observer = try #require(AnswerObserver.reading(operation, contentType: "application/json"))
        observer.observe(Array(#"{"usage":\#(object)}"#.utf8).span)
        observer.end()
        let usage = observer.usage
        return try #require(usage)
    }

    @Test(
        arguments: [
            (#"{"prompt_tokens":1,"cost":0.0000123}"#, "0.0000123"), (#"{"prompt_tokens":1,"cost":0}"#, "0"),
            (#"{"prompt_tokens":1,"cost":{"input_tokens_cost":0.1,"total_cost":0.25}}"#, "0.25"),
            (#"{"prompt_tokens":1,"cost_in_usd_ticks":318319000}"#, "0.0318319"),
            (#"{"prompt_tokens":1,"cost":"0.1"}"#, nil), (#"{"prompt_tokens":1,"cost":null}"#, nil),
            (#"{"prompt_tokens":1,"cost":-1}"#, nil), (#"{"prompt_tokens":1,"x":{"cost":1}}"#, nil),
        ] as [(String, String?)])
    func `a provider's own word for the cost is taken as it is written`(_ object: String, _ dollars: String?) throws {
        #expect(try usage(.chat, object).statedCost?.dollars == dollars)
    }

    @Test func `the searches of a router's answer are counted`() throws {
        let usage = try usage(.chat, #"{"prompt_tokens":1,"server_tool_use":{"web_search_requests":3}}"#)
        #expect(usage.other == [Usage.Extra(name: "web_search_requests", count: 3)])
    }

    @Test(
        arguments: [
            (#"{"input_tokens":1,"cache_creation_input_tokens":0}"#, 0, nil, []),
            (#"{"input_tokens":1,"cache_creation_input_tokens":7}"#, 7, nil, []),
            (
                #"{"input_tokens":1,"cache_creation":{"ephemeral_5m_input_tokens":7,"ephemeral_1h_input_tokens":0}}"#,
                7, 300,
                []
            ),
            (
                #"{"input_tokens":1,"cache_creation_input_tokens":7,"cache_creation":{"ephemeral_1h_input_tokens":7}}"#,
                7,
                3600, []
            ),
            (
                #"{"input_tokens":1,"cache_creation":{"ephemeral_5m_input_tokens":2,"ephemeral_1h_input_tokens":5}}"#,
                7, nil,
                ["cache_write_5m", "cache_write_1h"]
            ),
            // A part of which nothing is said.
            (
                #"{"input_tokens":1,"cache_creation_input_tokens":7,"cache_creation":{"ephemeral_5m_input_tokens":2}}"#,
                7,
                nil, ["cache_write_5m"]
            ),
            (#"{"input_tokens":1}"#, nil, nil, []),
        ] as [(String, Int64?, Int64?, [String])])
    func `a cache write is one number, with its lifetime where there is one`(
        _ object: String, _ written: Int64?, _ seconds: Int64?, _ names: [String]
    ) throws {
        var usage = try usage(.messages, object)
        #expect((usage.cacheWrite, usage.cacheWriteTTL) == (written, seconds))
        #expect(usage.named.map(\.name) == names)
        #expect(usage.inputTotal == 1 + (written ?? 0))
        // What the request asked for says nothing where the provider has spoken.
        usage.assume(lifetime: 1800)
        #expect(usage.cacheWriteTTL == (written == 7 && seconds == nil && names.isEmpty ? 1800 : seconds))
    }

    @Test func `lifetimes of several answers are added up one by one`() throws {
        var sum = try usage(.messages, #"{"input_tokens":1,"cache_creation":{"ephemeral_5m_input_tokens":2}}"#)
        sum.statedCost = Money(picodollars: 1)
        sum.add(sum)
        #expect((sum.cacheWrite, sum.cacheWriteTTL, sum.statedCost?.picodollars) == (4, 300, 2))
        sum.add(try usage(.messages, #"{"input_tokens":1,"cache_creation":{"ephemeral_1h_input_tokens":5}}"#))
        #expect((sum.cacheWrite, sum.cacheWriteTTL) == (9, nil))
        #expect(sum.lifetimes == [CacheWrite(seconds: 300, tokens: 4), CacheWrite(seconds: 3600, tokens: 5)])
    }

    @Test(
        arguments: [
            ("5m", 300), ("30m", 1800), ("1h", 3600), ("12h", 43_200), ("24h", 86_400), ("90s", 90), ("1d", 86_400),
            ("", nil), ("m", nil), ("5", nil), ("0m", nil), ("-5m", nil), ("+5m", nil), ("5 m", nil), ("1234567m", nil),
            ("in_memory", nil),
        ] as [(String, Int64?)])
    func `lifetimes are read as providers write them`(_ text: String, _ seconds: Int64?) {
        #expect(CacheWrite.seconds(of: text) == seconds)
    }

    @Test(
        arguments: [
            (#"{"speed":"fast","service_tier":"flex"}"#, "fast", "flex", nil),
            (#"{"prompt_cache_options":{"mode":"implicit","ttl":"30m"}}"#, nil, nil, 1800),
            (#"{"speed":1.25,"prompt_cache_options":{"ttl":30}}"#, nil, nil, nil),
            (#"{"prompt_cache_options":null,"messages":[{"speed":"no","service_tier":"no"}]}"#, nil, nil, nil),
        ] as [(String, String?, String?, Int64?)])
    func `what a request asks for and pays for is read`(
        _ body: String, _ speed: String?, _ tier: String?, _ seconds: Int64?
    ) {
        var scan = RequestScan()
        scan.feed(Array(body.utf8).span)
        #expect((scan.facts.speed, scan.facts.serviceTier, scan.facts.cacheTTL) == (speed, tier, seconds))
    }

    @Test func `speed and place are masked and cut like every text`() {
        var usage = Usage()
        usage.speed = "fast sk-secret-key"
        usage.inferenceGeo = String(repeating: "u", count: 300)
        let record = AnswerRecord(
            usage: usage, model: nil, finishReason: nil, serviceTier: nil, askedTier: "sk-secret-key", speed: "slow",
            endUser: nil, masking: [Secret("sk-secret-key")])
        #expect(record.speed == "fast *************")
        #expect(record.usage?.inferenceGeo?.utf8.count == 256)
    }
}
