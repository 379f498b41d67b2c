// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

extension HTML {
    /// A column for each stretch of time: as high as the root of its requests, red from the top for those that failed.
    static func ticks(_ columns: [(requests: Int64, failed: Int64)], _ label: String) -> HTML {
        let most = Double(columns.map(\.requests).max() ?? 0)
        var (none, some, bad) = ("", "", "")
        for (index, column) in columns.enumerated() {
            let x = index * 3
            guard column.requests > 0 else {
                none += "M\(x) 17h2v1h-2z"
                continue
            }
            let height = max(3, Int((Double(column.requests) / most).squareRoot() * 18 + 0.5))
            some += "M\(x) 18v-\(height)h2v\(height)z"
            guard column.failed > 0 else { continue }
            let red = min(height, max(3, Int(Double(height) * Double(column.failed) / Double(column.requests) + 0.5)))
            bad += "M\(x) \(18 - height)v\(red)h2v-\(red)z"
        }
        return """
            <svg width="\(columns.count * 3)" height="18" role="img" aria-label="\(label)">\
            <path class="f-none" d="\(none)"/><path class="f-tick" d="\(some)"/><path class="f-bad" d="\(bad)"/></svg>
            """
    }
}
