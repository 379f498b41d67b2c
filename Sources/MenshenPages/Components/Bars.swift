// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

extension HTML {
    /// "12.34%" of a whole, as attributes take it.
    static func percent(_ part: Int64, of whole: Int64) -> String {
        guard whole > 0, part > 0 else { return "0%" }
        return percent(Double(min(part, whole)) / Double(whole))
    }

    static func percent(_ share: Double) -> String { "\(decimal(share * 100))%" }

    /// At most two decimals, as coordinates need.
    static func decimal(_ value: Double) -> String {
        let hundredths = Int64((value * 100).rounded())
        let (whole, rest) = (hundredths.magnitude / 100, hundredths.magnitude % 100)
        let sign = hundredths < 0 ? "-" : ""
        if rest == 0 { return "\(sign)\(whole)" }
        return rest % 10 == 0 ? "\(sign)\(whole).\(rest / 10)" : "\(sign)\(whole).\(rest < 10 ? "0" : "")\(rest)"
    }

    /// A bar in a cell, whose value the cell says as well.
    static func bar(_ part: Int64, of whole: Int64, _ fill: String = "ink") -> HTML {
        """
        <svg class="bar" height="6" aria-hidden="true"><rect class="track" width="100%" height="6" rx="3"/>\
        <rect class="\(fill)" width="\(percent(part, of: whole))" height="6" rx="3"/></svg>
        """
    }

    /// Spent solid, reserved hatched after it, marks at 50% and 80%.
    static func budgetBar(spent: Int64, reserved: Int64, of limit: Int64) -> HTML {
        let isFull = spent >= limit
        let fill = isFull ? "f-bad" : isNear(spent, limit) ? "f-warn" : "ink"
        let room = max(0, limit - spent)
        let waiting: HTML = """
            <rect fill="url(#dense)" x="\(percent(spent, of: limit))" width="\(percent(min(reserved, room), of: limit))" height="8"/>
            """
        return """
            <svg class="bar" height="8" aria-hidden="true"><rect class="track" width="100%" height="8" rx="2"/>\
            <rect class="\(fill)" width="\(percent(spent, of: limit))" height="8" rx="2"/>\(waiting, if: reserved > 0 && room > 0)\
            <line class="mark" x1="50%" x2="50%" y1="0" y2="8"/><line class="mark" x1="80%" x2="80%" y1="0" y2="8"/></svg>
            """
    }

    /// From 80% on.
    static func isNear(_ spent: Int64, _ limit: Int64) -> Bool { Double(spent) >= Double(limit) * 0.8 }

    /// How much of a limit that a provider told is used.
    static func room(_ limit: LiveView.Limit, at: String? = nil) -> HTML {
        guard let used = limit.used else {
            return "<span class=\"room\"><span>\(limit.title)</span><span>?</span></span>"
        }
        let mills = Int64((min(max(used, 0), 1) * 1000).rounded())
        let fill = mills >= 1000 ? "f-bad" : mills >= 800 ? "f-warn" : "ink"
        let end: HTML = at.map { "<span class=\"at\">\($0)</span>" } ?? .nothing
        return """
            <span class="room"><span>\(limit.title)</span>\(bar(mills, of: 1000, fill))\
            <b>\(Figures.share(mills, of: 1000))</b>\(end)</span>
            """
    }
}
