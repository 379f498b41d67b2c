// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

@testable import menshen

struct UsageFiguresTests {
    @Test(
        arguments: [
            (0, 0, ""), (0, 2, "?"), (19_280_000_000_000, 0, "$19.28"), (19_280_000_000_000, 1, "≥$19.28"),
            (-250_000_000_000, 0, "-$0.25"),
        ] as [(Int64, Int64, String)])
    func `what caches saved is blank where there was none, and never nothing where it is not known`(
        saved: Int64, unknown: Int64, text: String
    ) {
        var sums = ReportSums()
        (sums[.saved], sums[.savedUnknown]) = (saved, unknown)
        #expect(sums.savedCell.text == text)
    }
}
