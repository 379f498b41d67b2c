// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

extension HTML {
    /// A mark for each request, as wide as it lasted. Times in microseconds.
    static func lane(_ marks: [(start: Int64, end: Int64, style: String)], from: Int64, to: Int64) -> HTML {
        let whole = Double(max(1, to - from))
        let rects: [HTML] = marks.map { mark in
            let width = min(1, max(0.0025, Double(mark.end - mark.start) / whole))
            let x = min(1 - width, max(0, Double(mark.start - from) / whole))
            return
                "<rect class=\"\(mark.style)\" x=\"\(percent(x))\" width=\"\(percent(width))\" y=\"4\" height=\"12\"/>"
        }
        return """
            <svg class="bar lane" height="20" aria-hidden="true"><rect class="lane-bg" width="100%" height="20"/>\(rects)</svg>
            """
    }
}
