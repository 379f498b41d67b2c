// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

struct CSVTextTests {
    @Test(arguments: [
        ("", ""), ("gpt-6", "gpt-6"), ("a,b", "\"a,b\""), ("say \"hi\"", "\"say \"\"hi\"\"\""),
        ("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@SUM(A1)", "'@SUM(A1)"), ("＝1", "'＝1"),
        ("=HYPERLINK(\"a\",\"b\")", "\"'=HYPERLINK(\"\"a\"\",\"\"b\"\")\""),
        ("a=b", "a=b"), ("one\ntwo\r", "one\\u000atwo\\u000d"), ("\t=1", "\\u0009=1"), ("\u{1b}[2J", "\\u001b[2J"),
        ("\u{202e}x", "\\u202ex"), ("Žluťoučký", "Žluťoučký"),
    ])
    func `a name is no formula, no line and no control of a terminal`(text: String, field: String) {
        var bytes: [UInt8] = []
        bytes.append(csv: text)
        #expect(String(decoding: bytes, as: UTF8.self) == field)
    }
}
