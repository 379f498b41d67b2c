// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import TestSupport
import Testing

/// Cases with one secret and with many.
@Suite struct SecretSetTests {
    private static let others = (10..<60).map { Secret("another-secret-\($0)") }
    private static let sets = [
        SecretSet([Secret("sk-CANARY-1234")]),
        SecretSet(others + [Secret("sk-CANARY-1234"), Secret("abc"), Secret("")]),
    ]

    @Test(arguments: [
        ("", ""), ("nothing here", "nothing here"), ("sk-CANARY-1234", "**************"),
        ("a sk-CANARY-1234 b", "a ************** b"),
        ("sk-CANARY-1234sk-CANARY-1234", "****************************"), ("sk-CANARY-123", "sk-CANARY-123"),
        ("ssk-CANARY-1234", "s**************"), ("sk-CANARY-12sk-CANARY-1234", "sk-CANARY-12**************"),
        ("a word that ends in 34 and is longer", "a word that ends in 34 and is longer"),
    ])
    func `a mask covers every place and nothing else`(_ text: String, _ masked: String) {
        for secrets in Self.sets {
            let occurs = secrets.occurs(in: text.utf8.span)
            #expect(secrets.masked(text) == masked && occurs == (text != masked))
        }
    }

    @Test(arguments: [
        ("", ""), ("a sk-CANARY-12", "a ************"), ("sk-CANARY-1234", "**************"), ("task", "ta**"),
        ("a sk-", "a ***"), ("sk-CANARY-12 b", "sk-CANARY-12 b"), ("sk-CANARY-1s", "sk-CANARY-1*"),
    ])
    func `what a cut left of a secret at the end of a text is covered`(_ text: String, _ masked: String) {
        for secrets in Self.sets {
            var bytes = Array(text.utf8)
            secrets.maskBeginning(atEndOf: &bytes)
            #expect(String(decoding: bytes, as: UTF8.self) == masked)
        }
    }

    @Test func `of a secret within another, and of two that overlap, nothing stays`() {
        let secrets = SecretSet([Secret("abcd"), Secret("abcdefgh"), Secret("ghij")])
        #expect(secrets.masked("-abcdefghij-abcd-") == "-**********-****-")
        var cut = Array("x ghabc".utf8)
        SecretSet([Secret("abcd"), Secret("ghabcz")]).maskBeginning(atEndOf: &cut)
        #expect(String(decoding: cut, as: UTF8.self) == "x *****")
    }

    @Test(arguments: [1, 3, 12])
    func `all places are found wherever they stand`(_ count: Int) {
        var random = SeededGenerator(state: 7)
        for _ in 0..<3_000 {
            // Of two letters, so that they almost stand in many places.
            let text = (0..<random.number(0...60)).map { _ in random.pick([UInt8(97), 98]) }
            let keys = (0..<count).map { _ in (0..<random.number(4...9)).map { _ in random.pick([UInt8(97), 98]) } }
            // Copies of their own: a secret overwrites its bytes when it goes.
            let secrets = SecretSet(keys.map { key in Secret(key.map { $0 }) })
            var expected = text
            for key in keys {
                for start in text.indices where text[start...].starts(with: key) {
                    for place in start..<start + key.count { expected[place] = UInt8(ascii: "*") }
                }
            }
            var masked = text
            secrets.mask(in: &masked)
            let occurs = secrets.occurs(in: text.span)
            #expect(masked == expected && occurs == (expected != text))
            if masked != expected { return }
        }
    }

    @Test func `a secret too short to be one masks nothing`() {
        #expect(SecretSet([Secret("aaa"), Secret("")]).masked("aaaaaa") == "aaaaaa")
        #expect(SecretSet([]).masked("aaaaaa") == "aaaaaa")
    }

    @Test func `one more is masked too, and one that is there already changes nothing`() {
        let first = Secret("the first one")
        let set = SecretSet([first])
        #expect(set.adding(first) === set)
        #expect(
            set.adding(Secret("the second one")).masked("the second one, the first one")
                == "**************, *************")
    }
}
