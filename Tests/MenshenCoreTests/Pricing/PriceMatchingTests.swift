// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

@Suite struct PriceMatchingTests {
    private let one = Shop.usage(1_000_000, 0)

    @Test(arguments: [
        ("plain", 3), ("PLAIN", 3), ("other-name", 3), ("plain-20260115", 3), ("plain@20260115", 3),
        ("plain-2026-01-15", 3), ("plain-latest", 3), ("plain-5", 4), ("plain-5-20260115", 4), ("plain-5-latest", 4),
        ("dated-2026-01-15", 1), ("anthropic.claude-20260115-v1:0", 8), ("anthropic.claude-v1:0", 8),
    ])
    func `a model has its own price, with a date or as the latest one too`(_ model: String, _ dollars: Int64) {
        #expect(Shop.amount(model, one) == dollars * 1_000_000_000_000)
    }

    @Test(arguments: [
        "plain-5-5", "plain-6", "plain5", "plai", "plain-", "plain-mini", "a/plain", "plain:free", "plain-20261301",
        "plain-2026-13-01", "plain-latest-5", "plain-latest-latest", "plain-20260115-20260116", "plain-v1:0", "dated",
        "dated-2026-01-16", "", "-latest", "-20260115", "plain\tbatch", "plain other-name", "anthropic.claude-v2:0",
    ])
    func `another model never gets a neighbour's price`(_ model: String) {
        #expect(Shop.reason(model, one) == "no price for \(model) of shop")
    }

    @Test func `the answer's model counts, and where that has no price the one that was asked for`() {
        #expect(Shop.amount("plain-5", one, asked: "plain") == 4_000_000_000_000)
        #expect(Shop.amount("unheard-of", one, asked: "plain") == 3_000_000_000_000)
        #expect(Shop.amount(nil, one, asked: "plain") == 3_000_000_000_000)
        #expect(Shop.reason(nil, one) == "no model was named")
    }

    @Test func `one model costs at each seller what that one says`() {
        let cost = Shop.cost("plain", one, provider: "other")
        #expect(cost.amount?.dollars == "7")
        #expect(cost.priceVersion == "test 1")
        #expect(Shop.cost("plain", one, provider: "nobody").reason == "no price for plain of nobody")
        #expect(Shop.cost("plain", one, provider: nil).reason == "the provider has no list of prices")
        #expect(Shop.cost("plain", one, provider: "free").state == .none)
    }

    @Test func `a seller is known by its address, and what is local is nobody's`() throws {
        func name(_ text: String) throws -> String? { Shop.table.provider(at: try #require(BaseURL(text)))?.name }
        #expect(try name("https://api.shop.example/v1") == "shop")
        #expect(try name("https://eu.shop.example/llm/v1") == "shop")
        #expect(try name("https://eu.shop.example/llm") == "shop")
        #expect(try name("https://eu.shop.example/llms") == nil)
        #expect(try name("https://evil.example/api.shop.example") == nil)
        #expect(try name("https://api.shop.example.evil.example") == nil)
        #expect(try name("http://localhost:8080/v1") == nil)
        let shared = PriceTable.shared
        for (address, seller) in [
            ("https://api.openai.com/v1", "openai"), ("https://api.anthropic.com", "anthropic"),
            ("https://generativelanguage.googleapis.com", "google"), ("https://openrouter.ai/api/v1", "openrouter"),
            ("https://europe-west1-aiplatform.googleapis.com/v1", "google"), ("https://api.groq.com/openai/v1", "groq"),
            ("https://mine.openai.azure.com", "azure"), ("https://bedrock-runtime.eu-west-1.amazonaws.com", "aws"),
            ("https://router.huggingface.co/novita/v3", "huggingface_novita"), ("https://api.x.ai/v1", "x-ai"),
        ] { #expect(shared.provider(at: try #require(BaseURL(address)))?.name == seller, "\(address)") }
        for address in ["http://127.0.0.1:11434", "unix:///run/llm.sock", "https://storage.googleapis.com"] {
            #expect(shared.provider(at: try #require(BaseURL(address))) == nil, "\(address)")
        }
    }

    @Test func `names that callers make up do not pile up`() {
        let book = Shop.book
        for number in 0..<10_000 { #expect(Shop.cost("made-up-\(number)", one, book: book).amount == nil) }
        #expect(Shop.cost("plain", one, book: book).amount?.dollars == "3")
    }

    @Test func `the table that menshen carries has no fault, and no price of a neighbour`() {
        let table = PriceTable.shared
        #expect(table.providers.count > 40)
        var count = 0
        for provider in table.providers {
            let rows = table.rows(of: provider.name)
            count += rows.count
            #expect(!rows.isEmpty && rows.allSatisfy { $0.checked != nil && !$0.source.isEmpty }, "\(provider.name)")
        }
        #expect(count > 2500)
        let book = PriceBook()
        func input(_ model: String) -> String? {
            book.rows("anthropic", model).first { $0.variant == nil }?.prices[.input]?.description
        }
        #expect(
            input("claude-opus-5") == "5" && input("claude-opus-5-5") == "4" && input("claude-opus-5-20260115") == "5")
        #expect(input("claude-opus-5-6") == nil)
    }
}
