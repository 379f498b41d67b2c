// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Crypto
import MenshenCore
import TestSupport
import Testing

@Suite struct AccessSecretTests {
    private struct Holder {
        var name = "n"
        var secret: Secret
        var list: [Secret]
        var maybe: Secret?
    }

    private let secret = Secret("sk-CANARY-1234")

    @Test func `no way of printing shows the secret`() {
        let holder = Holder(secret: secret, list: [secret], maybe: secret)
        var texts = ["\(secret)", String(describing: secret), String(reflecting: secret), secret.description]
        texts += [
            "\(holder)", String(describing: holder), String(reflecting: holder), "\([secret])", "\(["k": secret])",
        ]
        for value: Any in [secret, holder, [secret], KeySource.inline(secret), Optional(secret) as Any] {
            var dumped = ""
            dump(value, to: &dumped)
            texts.append(dumped)
            texts.append("\(value)")
            texts.append(String(reflecting: value))
        }
        for text in texts {
            #expect(!text.contains("CANARY"))
            // As numbers: "sk-" is 115, 107, 45.
            #expect(!text.contains("115, 107"))
        }
        #expect("\(secret)" == "<secret>")
        #expect(Mirror(reflecting: secret).children.isEmpty)
    }

    @Test func `a provider that is printed shows neither key nor header`() throws {
        let base = try #require(BaseURL("https://api.example/v1"))
        var provider = Provider(name: "p", kind: .openai, baseURL: base, key: .inline(secret))
        provider.headers = [.init(name: "x", value: secret, isSecret: true)]
        provider.proxy = secret
        var text = "\(provider) \(String(reflecting: provider))"
        dump(provider, to: &text)
        #expect(text.contains("api.example"))
        #expect(!text.contains("CANARY") && !text.contains("115"))
    }

    @Test func `the bytes are lent, appended and digested`() {
        var buffer = Array("Bearer ".utf8)
        secret.append(to: &buffer)
        #expect(String(decoding: buffer, as: UTF8.self) == "Bearer sk-CANARY-1234")
        var seen = 0
        secret.withBytes { seen = $0.count }
        #expect(seen == 14)
        #expect(secret.digest == Digest(of: Array("sk-CANARY-1234".utf8)))
        #expect(secret.digest != Secret("sk-CANARY-1235").digest)
        #expect(secret.hasPrefix("sk-") && !secret.hasPrefix("sk-x"))
        #expect(Secret("").isEmpty && !secret.isEmpty)
    }

    @Test(arguments: [
        ("", ""), ("nothing here", "nothing here"), ("sk-CANARY-1234", "**************"),
        ("a sk-CANARY-1234 b", "a ************** b"),
        ("sk-CANARY-1234sk-CANARY-1234", "****************************"), ("sk-CANARY-123", "sk-CANARY-123"),
        ("ssk-CANARY-1234", "s**************"), ("sk-CANARY-12sk-CANARY-1234", "sk-CANARY-12**************"),
    ])
    func `a mask covers every place and nothing else`(_ text: String, _ masked: String) {
        var bytes = Array(text.utf8)
        secret.mask(in: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == masked)
    }

    @Test(arguments: [
        ("", ""), ("a sk-CANARY-12", "a ************"), ("sk-CANARY-1234", "**************"), ("task", "ta**"),
        ("a sk-", "a ***"), ("sk-CANARY-12 b", "sk-CANARY-12 b"), ("sk-CANARY-1s", "sk-CANARY-1*"),
    ])
    func `what a cut left of a secret at the end of a text is covered`(_ text: String, _ masked: String) {
        var bytes = Array(text.utf8)
        secret.maskBeginning(atEndOf: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == masked)
    }

    @Test func `the first place is found wherever it stands`() {
        var random = SeededGenerator(state: 7)
        for _ in 0..<3_000 {
            // Of two letters, so that it almost stands in many places.
            let text = (0..<random.number(0...60)).map { _ in random.pick([UInt8(97), 98]) }
            let key = (0..<random.number(4...9)).map { _ in random.pick([UInt8(97), 98]) }
            // A copy of its own: a secret overwrites its bytes when it goes.
            let secret = Secret(key.map { $0 })
            var masked = text
            secret.mask(in: &masked)
            var expected = text
            var index = 0
            while index + key.count <= text.count {
                if text[index..<index + key.count].elementsEqual(key) {
                    for place in index..<index + key.count { expected[place] = UInt8(ascii: "*") }
                    index += key.count
                } else {
                    index += 1
                }
            }
            #expect(masked == expected && secret.occurs(in: text) == (expected != text))
            if masked != expected { return }
        }
    }

    @Test func `a secret too short to be one masks nothing`() {
        var bytes = Array("aaaaaa".utf8)
        Secret("aaa").mask(in: &bytes)
        Secret("").mask(in: &bytes)
        #expect(bytes == Array("aaaaaa".utf8))
    }
}
