// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

struct LimitTextTests {
    @Test(arguments: [
        ("5usd/day", "5usd/day"), ("0.25 USD / Hour", "0.25usd/hour"), ("50usd", "50usd"), ("50usd/ever", "50usd"),
        ("100 requests/minute", "100 requests/minute"), ("1request/month", "1 requests/month"),
        ("2m tokens/day", "2000000 tokens/day"), ("1.5m tokens/week", "1500000 tokens/week"),
        ("10k input_tokens/day", "10000 input_tokens/day"), ("1_000 output tokens/hour", "1000 output_tokens/hour"),
        ("20usd/7d rolling", "20usd/7d rolling"), ("20usd/rolling 90min", "20usd/90min rolling"),
        ("5usd/day cut", "5usd/day cut"), ("20usd/7d rolling  CUT ", "20usd/7d rolling cut"),
        ("9 tokens cut", "9 tokens cut"),
        ("0.000000000001usd/day", "0.000000000001usd/day"), ("1k usd/month", "1000usd/month"),
    ]) func `a limit reads as people write it, and is written so that it reads again`(_ text: String, _ written: String)
        throws
    {
        let limit = try Limit.read(text)
        #expect(limit.description == written)
        #expect(try Limit.read(written) == limit)
        #expect(Limit(text) == limit)
    }

    @Test(arguments: [
        ("", Limit.Fault.noNumber), ("usd/day", .noNumber), ("$5/day", .noNumber), ("-5usd/day", .noNumber),
        ("1.2.3usd", .notWhole), ("1.5 requests/day", .notWhole), ("0.0000000000001usd", .notWhole),
        ("5.usd", .notWhole),
        ("10000000usd/day", .tooLarge), ("99999999999999999999 tokens", .tooLarge),
        ("9223372036854775807k tokens", .tooLarge),
        ("0usd/day", .zero), ("0 requests", .zero),
        ("5/day", .unknownMeasure), ("5eur/day", .unknownMeasure), ("5 words/day", .unknownMeasure),
        ("5m", .unknownMeasure),
        ("5usd/", .unknownWindow), ("5usd/year", .unknownWindow), ("5usd/day/day", .unknownWindow),
        ("5usd/cut", .unknownWindow), ("5usd/day cut cut", .unknownWindow), ("cut", .noNumber),
        ("5usd/rolling", .unknownWindow), ("5usd/7d", .notRolling), ("5usd/30s rolling", .shortWindow),
        ("5usd/90500ms rolling", .shortWindow),
    ]) func `what is no limit says why`(_ text: String, _ fault: Limit.Fault) {
        #expect(throws: fault) { try Limit.read(text) }
        #expect(Limit(text) == nil)
    }

    @Test func `each fault is a sentence of its own`() {
        #expect(Set(Limit.Fault.allCases.map(\.description)).count == Limit.Fault.allCases.count)
    }
}
