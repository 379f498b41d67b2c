// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// The usage objects of one API: where what stands, and how its totals are meant. Each stands in its provider's file.
package final class UsageTable: Sendable {
    let paths: JSONPaths
    let slots: [UsageSlot]
    /// A stream reports twice, and the second replaces the first field by field; elsewhere the last report stands alone.
    let reportsTwice: Bool
    /// Sets the totals of input and output, and what they are made of, where the counts alone don't say.
    let totals: @Sendable (_ counts: UsageReading, inout Usage) -> Void

    init(
        _ rows: KeyValuePairs<StaticString, UsageSlot>, reportsTwice: Bool = false,
        totals: @escaping @Sendable (UsageReading, inout Usage) -> Void
    ) {
        paths = JSONPaths(rows.map(\.key))
        slots = rows.map(\.value)
        self.reportsTwice = reportsTwice
        self.totals = totals
    }
}
