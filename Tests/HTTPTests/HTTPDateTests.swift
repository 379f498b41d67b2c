// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import Testing

@Suite struct HTTPDateTests {
    @Test(arguments: [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"), (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"), (1_798_761_599, "Thu, 31 Dec 2026 23:59:59 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
    ])
    func `a date is written as HTTP wants it, and again for the next second`(second: Int, text: String) {
        var date = HTTPDate()
        #expect(date.line(at: UInt64(second) + 1) != Array("Date: \(text)\r\n".utf8))
        #expect(date.line(at: UInt64(second)) == Array("Date: \(text)\r\n".utf8))
        #expect(date.line(at: UInt64(second)) == Array("Date: \(text)\r\n".utf8))
    }
}
