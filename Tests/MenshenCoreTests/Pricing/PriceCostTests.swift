// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

@Suite struct PriceCostTests {
    @Test func `each part costs its own price`() {
        let usage = Shop.usage(1000, 100) {
            $0.inputUncached = 400
            $0.cacheRead = 300
            $0.cacheWrite = 300
            $0.lifetimes = [CacheWrite(seconds: 300, tokens: 200), CacheWrite(seconds: 3600, tokens: 100)]
            $0.other = [
                .init(name: "web_search_requests", count: 2), .init(name: "accepted_prediction_tokens", count: 7),
            ]
        }
        // 400 × 3 + 300 × 0.3 + 200 × 3.75 + 100 × 6 + 100 × 15 dollars for a million, and 2 × 10 for a thousand.
        #expect(Shop.amount("plain", usage) == 24_140_000_000)
        #expect(Shop.cost("plain", usage).state == .priced)
        #expect(Shop.cost("plain", usage, .partial).state == .partial)
        #expect(Shop.cost("plain", usage, .partial).amount?.picodollars == 24_140_000_000)
    }

    @Test func `what a cache saved is the difference to plain input, exactly`() {
        let usage = Shop.usage(1000, 100) {
            $0.inputUncached = 400
            $0.cacheRead = 300
            $0.cacheWrite = 300
            $0.lifetimes = [CacheWrite(seconds: 300, tokens: 200), CacheWrite(seconds: 3600, tokens: 100)]
        }
        // 300 × 2.7 less 200 × 0.75 less 100 × 3 dollars for a million; with the surcharge of a place a tenth more.
        #expect(Shop.cost("plain", usage).saved?.picodollars == 360_000_000)
        #expect(Shop.cost("plain", usage) { $0.inferenceGeo = "us" }.saved?.picodollars == 396_000_000)
        // Above a line all of it would have cost more as well.
        let long = Shop.usage(300_000, 0) { ($0.cacheRead, $0.inputUncached) = (300_000, 0) }
        #expect(Shop.cost("long", long).saved?.picodollars == 570_000_000_000)
        let written = Shop.usage(1_000_000, 0) { ($0.cacheWrite, $0.inputUncached) = (1_000_000, 0) }
        #expect(Shop.cost("alike", written).saved?.picodollars == -250_000_000_000)
    }

    @Test func `where no cache was in use, or no price is known, it is not known what was saved`() {
        let read = Shop.usage(1000, 10) { $0.cacheRead = 500 }
        #expect(Shop.cost("plain", Shop.usage(1000, 10)).saved == nil)
        #expect(Shop.cost("unheard-of", read).saved == nil)
        #expect(Shop.cost("plain", read) { $0.stated = Money(picodollars: 17) }.saved == nil)
        #expect(Shop.cost("plain", read, provider: PriceBook.free).saved == nil)
    }

    @Test func `what was not counted costs an unknown amount, and what costs nothing costs nothing`() {
        #expect(Shop.cost("plain", nil, .unknown).reason == "the provider did not say what was used")
        #expect(Shop.cost("plain", nil, .unknown).amount == nil)
        #expect(Shop.cost("plain", nil, .none).amount == .zero)
        #expect(Shop.cost("plain", nil, .none).state == .none)
        #expect(Shop.reason("plain", Shop.usage(nil, 5)) == "the input was not reported")
        #expect(Shop.reason("plain", Shop.usage(5, nil)) == "the output was not reported")
        #expect(Shop.amount("embeds", Shop.usage(1_000_000, nil)) == 20_000_000_000)
    }

    @Test func `what the provider states is what it costs`() {
        let cost = Shop.cost("unheard-of", nil, .unknown) { $0.stated = Money(picodollars: 17) }
        #expect(cost.amount?.picodollars == 17 && cost.state == .provider)
    }

    @Test(arguments: [
        (200_000, 200_000), (200_001, 400_002), (400_000, 800_000), (400_001, 1_600_004),
    ])
    func `above a line the whole request costs more`(_ input: Int64, _ microdollars: Int64) {
        #expect(Shop.amount("long", Shop.usage(input, 0)) == microdollars * 1_000_000)
        // Input from the cache counts for the line, and output has a line of its own.
        let cached = Shop.usage(input, 1_000_000) {
            $0.cacheRead = input
            $0.inputUncached = 0
        }
        let output: Int64 = input > 200_000 ? 7_500_000 : 5_000_000
        #expect(Shop.amount("long", cached) == input * 100_000 + output * 1_000_000)
    }

    @Test func `of several answers together nobody knows whether one was long`() {
        let (short, long) = (Shop.usage(200_000, 0), Shop.usage(200_001, 0))
        #expect(Shop.amount("long", short) { $0.isSum = true } == 200_000_000_000)
        #expect(Shop.reason("long", long) { $0.isSum = true } == "which of several answers were long is not known")
        #expect(Shop.reason("asked", short) { $0.isSum = true } == "how many answers there were is not known")
    }

    @Test(arguments: [(199_999, 199_999), (200_000, 400_000), (200_001, 400_002)])
    func `a line may be part of what is above it`(_ input: Int64, _ microdollars: Int64) {
        #expect(Shop.amount("line", Shop.usage(input, 0)) == microdollars * 1_000_000)
    }

    @Test func `tiers have their own prices, and a tier without one has none`() {
        let usage = Shop.usage(1_000_000, 0)
        func tier(_ answer: String?, asked: String? = nil, speed: String? = nil) -> Cost {
            Shop.cost("plain", usage) { ($0.answerTier, $0.askedTier, $0.speed) = (answer, asked, speed) }
        }
        for standard in [nil, "default", "standard", "Standard", "auto", "on_demand", ""] {
            #expect(tier(standard).amount?.dollars == "3", "\(standard ?? "nil")")
        }
        #expect(tier("batch").amount?.dollars == "1.5" && tier("fast").amount?.dollars == "6")
        #expect(tier(nil, speed: "fast").amount?.dollars == "6")
        #expect(tier("default", asked: "flex").amount?.dollars == "3", "the answer knows")
        #expect(tier(nil, asked: "flex").reason == "no price for flex")
        #expect(tier("priority").reason == "no price for priority" && tier("priority").amount == nil)
        #expect(tier("scale").reason == "no price for tier 'scale'")
        #expect(tier("batch", speed: "fast").reason == "no price for batch at speed 'fast'")
        #expect(
            Shop.reason("plain", Shop.usage(10, 0) { $0.cacheRead = 5 }) { $0.answerTier = "batch" }
                == "no price for cached")
    }

    @Test func `a part without a price leaves no amount`() {
        func reason(_ model: String, _ change: (inout Usage) -> Void) -> String? {
            Shop.reason(model, Shop.usage(1000, 1000, change))
        }
        #expect(reason("plain-5") { $0.cacheRead = 1 } == "no price for cached")
        #expect(reason("plain-5") { $0.cacheWrite = 1 } == "no price for cache writes")
        #expect(
            reason("plain-5") { ($0.cacheWrite, $0.lifetimes) = (1, [CacheWrite(seconds: 3600, tokens: 1)]) }
                == "no price for cache writes of 1h")
        #expect(reason("plain") { $0.audioIn = 1 } == "no price for audio_in")
        #expect(reason("plain") { $0.imageOut = 1 } == "no price for image_out")
        #expect(
            reason("plain-5") { $0.other = [.init(name: "web_search_requests", count: 1)] } == "no price for web_search"
        )
        #expect(Shop.reason("pages", Shop.usage(nil, nil)) == "page has a price and is not reported")
        #expect(
            Shop.reason("plain", Shop.usage(1, 1)) { $0.calls = [.init(name: "teleport", count: 1)] }
                == "no price for teleport")
        #expect(
            Shop.reason("plain", Shop.usage(1, 1)) { $0.inferenceGeo = "mars" } == "no price for inference in 'mars'")
    }

    @Test func `how long a cache keeps what is written is priced as it was asked for`() {
        let usage = Shop.usage(1_000_000, 0) {
            $0.inputUncached = 0
            $0.cacheWrite = 1_000_000
        }
        #expect(Shop.cost("keeps", usage).amount?.dollars == "1.25")
        #expect(Shop.cost("keeps", usage) { $0.cacheLifetime = 43_200 }.amount?.dollars == "2.5")
        #expect(Shop.reason("keeps", usage) { $0.cacheLifetime = 86_400 } == "no price for cache writes of 86400 s")
        #expect(Shop.cost("alike", usage) { $0.cacheLifetime = 86_400 }.amount?.dollars == "1.25")
    }

    @Test func `sound, images and reasoning are parts of the totals`() {
        #expect(
            Shop.amount("hears", Shop.usage(10, 10) { ($0.audioIn, $0.audioOut) = (4, 5) }) == 67_000_000)
        #expect(
            Shop.reason("hears", Shop.usage(10, 0) { ($0.audioIn, $0.cacheRead) = (4, 4) })
                == "how much of the audio was cached is not known")
        #expect(Shop.amount("sees", Shop.usage(10, 0) { ($0.imageIn, $0.cacheRead) = (4, 4) }) == 6_400_000)
        #expect(Shop.amount("thinks", Shop.usage(0, 10) { $0.reasoning = 4 }) == 24_000_000)
        #expect(Shop.amount("plain", Shop.usage(0, 10) { $0.reasoning = 4 }) == 150_000_000)
        #expect(Shop.amount("listens", Shop.usage(nil, nil) { $0.seconds = 60.5 }) == 6_050_000_000)
        #expect(
            Shop.amount("listens", Shop.usage(nil, nil) { $0.seconds = 2 }) == 1_000_000_000, "ten seconds at least")
        #expect(Shop.reason("plain", Shop.usage(1, 1) { $0.seconds = 3 }) == "no price for audio_hour")
        #expect(Shop.reason("listens", Shop.usage(nil, nil)) == "the duration was not reported")
    }

    @Test func `fees come once, and inference elsewhere costs its percentage of the tokens`() {
        #expect(Shop.amount("asked", Shop.usage(0, 0)) == 5_000_000_000)
        let usage = Shop.usage(1_000_000, 0) { $0.other = [.init(name: "web_search_requests", count: 1000)] }
        #expect(Shop.cost("plain", usage) { $0.inferenceGeo = "us" }.amount?.dollars == "13.3")
        #expect(Shop.cost("plain", usage) { $0.inferenceGeo = "global" }.amount?.dollars == "13")
    }

    @Test(arguments: [(1, 0), (999, 0), (1000, 1), (1001, 1), (2999, 1), (3000, 2), (5000, 3)])
    func `an amount is rounded once, to the nearest picodollar`(_ tokens: Int64, _ picodollars: Int64) {
        // Half a thousandth of a picodollar each.
        #expect(Shop.amount("fine", Shop.usage(tokens, 0)) == picodollars)
        #expect(Shop.amount("fine", Shop.usage(tokens, 1)) == picodollars + 1_000_000)
    }

    @Test func `counts that make no sense, and amounts beyond all bounds, are no amounts`() {
        #expect(Shop.reason("plain", Shop.usage(.max, .max)) == "the amount is too large")
        #expect(Shop.reason("plain", Shop.usage(5, 0) { $0.cacheRead = 9 }) == "the counts contradict each other")
        #expect(Shop.reason("plain", Shop.usage(-5, 0)) == "the counts contradict each other")
        #expect(
            Shop.reason("hears", Shop.usage(0, 0) { ($0.audioIn, $0.imageIn) = (.max, .max) })
                == "the counts contradict each other")
        #expect(
            Shop.reason("plain", Shop.usage(.min, .min) { $0.cacheRead = .min }) == "the counts contradict each other")
        #expect(Shop.reason("listens", Shop.usage(nil, nil) { $0.seconds = .infinity }) == "the amount is too large")
    }

    @Test func `the dearest tokens of a seller are a ceiling for what has no price`() {
        let book = Shop.book
        // Input at 8 and output at 30 dollars for a million are the dearest there.
        #expect(book.ceiling(provider: "shop", input: 1_000_000, output: 1_000_000)?.dollars == "38")
        #expect(book.ceiling(provider: "shop", input: 0, output: 1)?.picodollars == 30_000_000)
        #expect(book.ceiling(provider: "nobody", input: 1, output: 1) == nil)
        #expect(book.ceiling(provider: "shop", input: .max, output: .max) == nil)
    }

    @Test func `a dated price holds from its day on`() throws {
        let usage = Shop.usage(1_000_000, 0)
        for (day, dollars) in [("2026-05-31", 1), ("2026-06-01", 2), ("2026-12-31", 2), ("2027-01-01", 3)] {
            let begin = try #require(PriceDate(day)).seconds
            #expect(Shop.amount("risen", usage, at: begin) == Int64(dollars) * 1_000_000_000_000, "\(day)")
            #expect(Shop.amount("risen", usage, at: begin + 86_399) == Int64(dollars) * 1_000_000_000_000, "\(day)")
        }
        #expect(Shop.amount("gone", usage, at: try #require(PriceDate("2026-05-31")).seconds) == 1_000_000_000_000)
        #expect(Shop.reason("gone", usage) == "no price that is in force at this time")
    }

    @Test(arguments: [
        ("2026-11-27", 0, 1), ("2026-11-27", 60, 2), ("2026-11-27", 239, 2), ("2026-11-27", 240, 1),
        ("2026-11-27", 1320, 2),
        ("2026-11-28", 60, 2), ("2026-11-28", 120, 1), ("2026-11-28", 1330, 1), ("2026-11-29", 60, 1),
        ("2026-11-29", 1400, 1),
        ("2026-11-30", 59, 1), ("2026-11-30", 60, 2),
    ])
    func `hours have prices on their days of the week`(_ day: String, _ minute: Int64, _ dollars: Int64) throws {
        // The 27th is a Friday, whose last window ends on Saturday; Monday's first hour is Sunday's no more.
        let expected = day == "2026-11-27" && minute == 0 ? 2 : dollars
        let begin = try #require(PriceDate(day)).seconds
        #expect(Shop.amount("peak", Shop.usage(1_000_000, 0), at: begin + minute * 60) == expected * 1_000_000_000_000)
    }
}
