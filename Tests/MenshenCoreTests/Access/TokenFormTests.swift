// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import TestSupport
import Testing

/// Tokens of menshen's form, and what is said of those that are not taken.
@Suite struct TokenFormTests {
    private static func make() -> String {
        var generator = SystemRandomNumberGenerator()
        return String(decoding: TokenForm.make(using: &generator), as: UTF8.self)
    }

    private static func finding(_ text: String) -> TokenForm.Finding { TokenForm.finding(Array(text.utf8)[...]) }

    @Test func `a token has a fixed form, and no two are alike`() {
        let made = (0..<200).map { _ in Self.make() }
        #expect(Set(made).count == 200)
        for token in made {
            #expect(token.hasPrefix("mns_") && token.utf8.count == 40)
            #expect(
                token.dropFirst(4).utf8.allSatisfy {
                    (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0)
                })
            #expect(Self.finding(token) == .wellFormed)
        }
    }

    @Test func `the check digits are those of the bytes before them`() {
        // By Python: zlib.crc32(b"mns_" + b"0" * 30), in base 62.
        #expect(Self.finding("mns_" + String(repeating: "0", count: 30) + "4BEOKX") == .wellFormed)
    }

    @Test func `any slip of the hand is seen`() {
        let token = Array(Self.make().utf8)
        for place in 4..<token.count {
            var slip = token
            slip[place] = slip[place] == UInt8(ascii: "x") ? UInt8(ascii: "y") : UInt8(ascii: "x")
            #expect(TokenForm.finding(slip[...]) == .misspelt, "\(place)")
            if place + 1 < token.count, token[place] != token[place + 1] {
                var swapped = token
                swapped.swapAt(place, place + 1)
                #expect(TokenForm.finding(swapped[...]) == .misspelt, "\(place)")
            }
            #expect(TokenForm.finding(token[..<place]) == .misspelt)
        }
        #expect(TokenForm.finding((token + [48])[...]) == .misspelt)
        for other in ["", "mns", "laptop-token", "Mns_x", "sk-1"] { #expect(Self.finding(other) == .foreign) }
    }

    // MARK: The gate

    private static let now: Int64 = 1_800_000_000

    private static func token(_ text: String, _ name: String, expires: Int64? = nil) -> AccessToken {
        AccessToken(name: name, digest: Secret(text).digest, expires: expires)
    }

    private static func gate(_ entries: [IssuedTokens.Entry], fault: String? = nil) -> TokenGate {
        TokenGate(
            tokens: [.init(name: "laptop", secret: Secret("tok-1"))], issued: IssuedTokens(entries, fault: fault),
            wallSeconds: { now })
    }

    @Test func `what was given out counts until it is revoked, replaced or over`() throws {
        let texts = (0..<7).map { _ in Self.make() }
        let gate = Self.gate([
            .init(Self.token(texts[0], "ci"), .valid),
            .init(Self.token(texts[1], "soon", expires: Self.now + 1), .valid),
            .init(Self.token(texts[2], "late", expires: Self.now), .valid),
            .init(Self.token(texts[3], "leak"), .revoked),
            .init(Self.token(texts[4], "old", expires: Self.now + 60), .replaced),
            .init(Self.token(texts[5], "older", expires: Self.now - 1), .replaced),
            .init(Self.token(texts[6], "strange"), .unreadable),
        ])
        func judge(_ text: String) throws -> TokenGate.Verdict {
            gate.judge(try wireHead("Authorization: Bearer \(text)"), queryKey: nil)
        }
        #expect(try judge(texts[0]).tokenName == "ci" && judge(texts[1]).tokenName == "soon")
        #expect(try judge(texts[4]).tokenName == "old", "within its grace")
        #expect(try judge(texts[2]) == .refused(.expired("late")))
        #expect(try judge(texts[3]) == .refused(.revoked("leak")))
        #expect(try judge(texts[5]) == .refused(.replaced("older")))
        #expect(try judge(texts[6]) == .refused(.unreadable))
        #expect(try judge(Self.make()) == .refused(.unknown))
        #expect(try judge(String(texts[0].dropLast())) == .refused(.misspelt))
        #expect(try judge("tok-1").tokenName == "laptop" && judge("tok-2") == .invalid)
    }

    @Test func `one valid token among several is enough, and of the others the most telling is named`() throws {
        let (good, gone) = (Self.make(), Self.make())
        let gate = Self.gate([.init(Self.token(good, "ci"), .valid), .init(Self.token(gone, "leak"), .revoked)])
        let key = "sk-ant-api03-4f1c9a7e2b3d4f1c9a7e2b3d"
        for fields in [["x-api-key: \(gone)", "api-key: \(good)"], ["x-api-key: \(good)", "api-key: \(key)"]] {
            #expect(gate.judge(try wireHead(fields), queryKey: key).tokenName == "ci")
        }
        let fields = ["x-api-key: \(key)", "api-key: junk", "Authorization: Bearer \(gone)"]
        #expect(gate.judge(try wireHead(fields), queryKey: "mns_x") == .refused(.revoked("leak")))
        #expect(gate.judge(try wireHead(["x-api-key: \(key)"]), queryKey: "mns_x") == .refused(.misspelt))
    }

    @Test func `without the file nobody can say what a token of it is, and others are not affected`() throws {
        let gate = Self.gate([], fault: "it is damaged")
        #expect(gate.judge(try wireHead("x-api-key: \(Self.make())"), queryKey: nil) == .refused(.unreadable))
        #expect(gate.judge(try wireHead("x-api-key: tok-1"), queryKey: nil).tokenName == "laptop")
        #expect(gate.judge(try wireHead("x-api-key: mns_x"), queryKey: nil) == .refused(.misspelt))
    }

    @Test func `ten thousand tokens are looked up, not compared`() throws {
        let texts = (0..<10_000).map { _ in Self.make() }
        let gate = Self.gate(texts.enumerated().map { .init(Self.token($1, "t\($0)"), .valid) })
        for place in [0, 4_999, 9_999] {
            #expect(gate.judge(try wireHead("x-api-key: \(texts[place])"), queryKey: nil).tokenName == "t\(place)")
        }
    }

    // MARK: Keys of providers

    @Test(arguments: [
        ("sk-proj-abcDEF0123456789abcdef", "OpenAI"), ("sk-ant-api03-abcDEF0123456789", "Anthropic"),
        ("sk-or-v1-0123456789abcdef", "OpenRouter"), ("sk-0123456789abcdef0123456789", "a provider such as OpenAI"),
        ("AIzaSyA0123456789abcdefghijklmnop", "Google"), ("gsk_0123456789abcdefghij", "Groq"),
        ("xai-0123456789abcdefghij", "xAI"), ("AKIAIOSFODNN7EXAMPLE", "AWS"),
    ])
    func `a real-looking key is told from a token`(_ key: String, _ owner: String) throws {
        #expect(Self.gate([]).judge(try wireHead("x-api-key: \(key)"), queryKey: nil) == .invalid)
        #expect(TokenGate.keyOwner(try wireHead("Authorization: Bearer \(key)"), queryKey: nil) == owner)
        #expect(TokenGate.keyOwner(try wireHead("x-api-key: junk"), queryKey: key) == owner)
    }

    @Test(arguments: [
        "sk-dummy", "sk-something-else", "sk-what-the-caller-carries-5d2e", "sk-this-has-no-digit-at-all", "none",
        "not-needed",
        "sk-0123456789 abcdef 0123",
        "0123456789abcdef0123456789abcdef",
    ])
    func `what only begins like a key is a wrong token`(_ text: String) throws {
        #expect(TokenGate.keyOwner(try wireHead("x-api-key: \(text)"), queryKey: nil) == nil)
    }
}
