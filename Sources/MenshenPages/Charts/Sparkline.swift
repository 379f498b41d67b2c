// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

extension HTML {
    /// Columns of a row, scaled to its own highest; the last one pale if it is under way. Empty where there is nothing.
    static func spark(_ all: [Int64], isUnderWay: Bool) -> HTML {
        // More than that is finer than a pixel, and makes long pages heavy.
        let merged = (all.count + 23) / 24
        let values = stride(from: 0, to: all.count, by: merged).map { first in
            all[first..<min(first + merged, all.count)].reduce(0, &+)
        }
        guard let most = values.max(), most > 0 else { return .nothing }
        let width = 84.0 / Double(values.count)
        var paths = ["", ""]
        for (index, value) in values.enumerated() where value > 0 {
            let height = max(1, Double(value) / Double(most) * 19)
            let place = isUnderWay && index == values.count - 1 ? 1 : 0
            let bar = decimal(width * 0.8)
            paths[place] += "M\(decimal(Double(index) * width)) 20v-\(decimal(height))h\(bar)v\(decimal(height))z"
        }
        return """
            <svg class="spark" viewBox="0 0 84 20" preserveAspectRatio="none" aria-hidden="true">\
            <path class="track" d="M0 20h84v-.5H0z"/><path d="\(paths[0])"/>\
            \("<path class=\"part\" d=\"\(paths[1])\"/>" as HTML, if: !paths[1].isEmpty)</svg>
            """
    }
}
