// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Linux
import Testing

struct FullScreenTests {
    @Test(
        arguments: [
            ("q", [.letter("q")]), ("a A~", [.letter("a"), .letter(" "), .letter("A"), .letter("~")]),
            ("\u{1b}[A\u{1b}[B", [.up, .down]), ("\u{1b}OA", [.up]), ("\u{1b}[1;5A", [.up]),
            ("\u{1b}[5~\u{1b}[6~", [.pageUp, .pageDown]), ("\u{1b}[H\u{1b}[1~\u{1b}[7~", [.home, .home, .home]),
            ("\u{1b}[F\u{1b}[4~\u{1b}OF", [.end, .end, .end]),
            // What is not known is no letter: a function key, a key with Alt, the mouse, a lone escape, one that is cut off.
            ("\u{1b}[15~q", [.letter("q")]), ("\u{1b}xq", [.letter("x"), .letter("q")]),
            ("\u{1b}[<0;1;1Mq", [.letter("q")]), ("\u{1b}", []), ("\u{1b}[", []), ("\u{1b}[1;", []), ("é\u{1}\n", []),
        ] as [(String, [FullScreen.Key])])
    func `keys are what terminals send for them`(bytes: String, keys: [FullScreen.Key]) {
        #expect(FullScreen.keys(Array(bytes.utf8)[...]) == keys)
    }
}
