// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

/// A small table, and how its prices are asked for.
enum Shop {
    static let text = """
        # A remark.
        version\ttest 1
        provider\tshop\t2026-11-27\thttps://shop.example/prices\tapi.shop.example *.shop.example/llm
        provider\tother\t2026-11-27\thttps://other.example\tother.example
        >shop
        plain other-name\t\t\t\tinput=3 output=15 cached=0.3 write_5m=3.75 write_1h=6 web_search=10 us_percent=110
        plain\t\tbatch\t\tinput=1.5 output=7.5
        plain\t\tfast\t\tinput=6 output=30
        plain-5\t\t\t\tinput=4 output=20
        dated-2026-01-15\t\t\t\tinput=1 output=1
        long\t\t\t\tinput=1>200000:2>400000:4 output=5>200000:7.5 cached=0.1
        line\t\t\t\tinput=1>=200000:2 output=5
        risen\t\t\t\tinput=1 output=1
        risen\t2026-06-01\t\t\tinput=2 output=2
        risen\t2027-01-01\t\t\tinput=3 output=3
        peak\t\t\t\tinput=1 output=1
        peak\t\t\tMon-Fri 01:00-04:00,22:00-02:00\tinput=2 output=2
        gone\t\t\t\tinput=1 output=1
        gone\t2026-06-01\t\t\t
        keeps\t\t\t\tinput=1 output=1 write_30m=1.25 write_12h=2.5
        alike\t\t\t\tinput=1 output=1 write=1.25
        sees\t\t\t\tinput=1 output=1 cached=0.1 image_in=1
        hears\t\t\t\tinput=1 output=1 cached=0.1 audio_in=4 audio_out=8
        thinks\t\t\t\tinput=1 output=2 reasoning=3
        listens\t\t\t\taudio_hour=0.36 least_seconds=10
        pages\t\t\t\tpage=5
        embeds\t\t\t\tinput=0.02
        fine\t\t\t\tinput=0.0000000005 output=1
        asked\t\t\t\tinput=1 output=1 request=5
        anthropic.claude-v1:0\t\t\t\tinput=8 output=8
        >other
        plain\t\t\t\tinput=7 output=7
        """

    static let table = PriceTable { Array(text.utf8) }
    static var book: PriceBook { PriceBook(table: table) }
    /// 2026-11-27 12:00, a Friday.
    static let noon: Int64 = 1_795_780_800

    static func usage(_ input: Int64?, _ output: Int64?, _ change: (inout Usage) -> Void = { _ in }) -> Usage {
        var usage = Usage()
        (usage.inputTotal, usage.outputTotal) = (input, output)
        change(&usage)
        return usage
    }

    static func cost(
        _ model: String?, _ usage: Usage?, _ state: UsageState = .reported, asked: String? = nil,
        provider: String? = "shop", at seconds: Int64 = noon, book: PriceBook = book,
        _ change: (inout PricedFacts) -> Void = { _ in }
    ) -> Cost {
        var facts = PricedFacts(usage: usage, usageState: state)
        change(&facts)
        return book.cost(provider: provider, answerModel: model, askedModel: asked, facts: facts, at: seconds)
    }

    /// In picodollars; nil if there is no amount.
    static func amount(
        _ model: String?, _ usage: Usage?, asked: String? = nil, at seconds: Int64 = noon,
        _ change: (inout PricedFacts) -> Void = { _ in }
    ) -> Int64? {
        cost(model, usage, .reported, asked: asked, at: seconds, change).amount?.picodollars
    }

    static func reason(
        _ model: String?, _ usage: Usage?, _ change: (inout PricedFacts) -> Void = { _ in }
    ) -> String? {
        let cost = Shop.cost(model, usage, .reported, change)
        return cost.state == .unpriced && cost.amount == nil ? cost.reason : nil
    }
}
