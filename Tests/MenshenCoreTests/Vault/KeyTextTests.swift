// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

/// Key files as people make them.
@Suite struct KeyTextTests {
    @Test(arguments: [
        "sk-1", "sk-1\n", "sk-1\r\n", "  sk-1 \t\r\n\n", "\n\nsk-1", "\u{FEFF}sk-1\n", "\u{FEFF}\r\n  sk-1",
    ])
    func `marks and blanks around a key are no part of it`(text: String) throws {
        #expect(try KeyText.read(Array(text.utf8)).digest == Secret("sk-1").digest)
    }

    @Test(arguments: ["abc=", "QUJD==", "A_B==", "a=b", "AKIA+/x=", "sk_live=1"])
    func `an equals sign within a key is taken`(text: String) throws {
        #expect(try KeyText.read(Array(text.utf8)).digest == Secret(text).digest)
    }

    @Test(arguments: [
        ("", KeyText.Fault.empty), ("\n \r\n", .empty), ("\u{FEFF}\n", .empty), ("a\nb", .severalLines),
        ("a\r\n\r\nb", .severalLines),
        ("\"sk-1\"", .quoted), ("'sk-1'", .quoted), ("“sk-1”", .quoted), ("\"sk-1", .quoted),
        ("OPENAI_API_KEY=sk-1", .assignment), ("export OPENAI_API_KEY=sk-1", .assignment),
        ("export KEY='sk-1'", .assignment),
        ("token=abc", .assignment), ("MY_VAR=abc", .assignment), ("Bearer sk-1", .scheme), ("bearer  sk-1", .scheme),
        ("{\"key\": \"sk-1\"}", .json), ("[\"sk-1\"]", .json), ("sk 1", .notVisible), ("sk-é1", .notVisible),
        ("sk\u{7}1", .notVisible),
    ])
    func `what would change the key is refused with the sentence that helps`(text: String, fault: KeyText.Fault) {
        #expect(throws: fault) { try KeyText.read(Array(text.utf8)) }
    }

    @Test func `UTF-16 is told by its mark, or by its zeros`() {
        #expect(throws: KeyText.Fault.utf16) { try KeyText.read([0xFF, 0xFE, 0x73, 0, 0x6B, 0]) }
        #expect(throws: KeyText.Fault.utf16) { try KeyText.read([0x73, 0, 0x6B, 0]) }
    }

    @Test func `no sentence repeats what was read`() {
        for fault in KeyText.Fault.allCases {
            #expect(fault.sentence.hasSuffix(".") && !fault.sentence.contains("sk-"))
        }
    }
}
