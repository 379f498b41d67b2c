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
        for value: Any in [
            secret, holder, [secret], SecretSet([secret]), KeySource.inline(secret), Optional(secret) as Any,
        ] {
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
}
