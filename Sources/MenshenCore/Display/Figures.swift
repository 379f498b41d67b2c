// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Numbers as terminal and pages show them. All arithmetic is on integers; halves are rounded up.
package enum Figures {
    /// 4,833.
    package static func count(_ value: Int64) -> String {
        let digits = Array(String(value.magnitude).utf8)
        var text: [UInt8] = value < 0 ? [UInt8(ascii: "-")] : []
        for (place, digit) in digits.enumerated() {
            if place > 0, (digits.count - place).isMultiple(of: 3) { text.append(UInt8(ascii: ",")) }
            text.append(digit)
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// 1 request, 4,833 requests.
    package static func counted(_ value: Int64, _ one: String, _ many: String? = nil) -> String {
        "\(count(value)) \(value == 1 ? one : many ?? one + "s")"
    }

    /// Exact below 10,000; then 12.4k, 214M, 1.20B.
    package static func tokens(_ value: Int64) -> String {
        if value < 10_000 { return count(value) }
        let steps: [(unit: Int64, sign: String)] = [
            (1000, "k"), (1_000_000, "M"), (1_000_000_000, "B"), (1_000_000_000_000, "T"),
        ]
        for (index, step) in steps.enumerated() {
            let decimals = value < 100 * step.unit ? (step.sign == "B" && value < 10 * step.unit ? 2 : 1) : 0
            let text = decimal(value, step.unit, decimals)
            // 999.6k is 1.0M.
            if index + 1 == steps.count || !text.hasPrefix("1000") && value < steps[index + 1].unit {
                return text + step.sign
            }
        }
        return count(value)
    }

    /// A sum of money: $0, <$0.01, $0.42, $1,234.50, and from $10,000 on without cents.
    package static func money(_ amount: Money) -> String {
        let value = amount.picodollars
        if value == 0 { return "$0" }
        if value < 0 { return "-" + money(Money(picodollars: value == .min ? .max : -value)) }
        let cents = rounded(value, 10_000_000_000)
        if cents == 0 { return "<$0.01" }
        if cents >= 1_000_000 { return "$" + count(rounded(value, 1_000_000_000_000)) }
        return "$" + count(cents / 100) + "." + CivilDay.two(cents % 100)
    }

    /// What one request cost: $0.0638, <$0.0001.
    package static func cost(_ amount: Money) -> String {
        let value = amount.picodollars
        if value == 0 { return "$0" }
        let parts = rounded(value, 100_000_000)
        if parts == 0 { return "<$0.0001" }
        let fraction = String(parts % 10_000)
        return "$" + count(parts / 10_000) + "." + String(repeating: "0", count: 4 - fraction.utf8.count) + fraction
    }

    /// 0%, <0.1%, 7.3%, 45%, >99%; 100% only if it is all.
    package static func share(_ part: Int64, of whole: Int64) -> String {
        guard whole > 0, part > 0 else { return "0%" }
        if part >= whole { return "100%" }
        let (thousandfold, overflows) = part.multipliedReportingOverflow(by: 1000)
        let mills = overflows ? rounded(part, whole / 1000) : rounded(thousandfold, whole)
        if mills == 0 { return "<0.1%" }
        if mills < 100 { return "\(mills / 10).\(mills % 10)%" }
        let percent = (mills + 5) / 10
        return percent > 99 ? ">99%" : "\(percent)%"
    }

    /// ▲ 12%, ▼ 3%; "same" below half a percent, "new" if there was nothing before; nil if there is nothing at all.
    package static func change(_ now: Int64, before: Int64) -> String? {
        if before <= 0 { return now > 0 ? "new" : nil }
        let (difference, _) = now.subtractingReportingOverflow(before)
        let magnitude = difference.magnitude
        let (product, overflows) = magnitude.multipliedReportingOverflow(by: 1000)
        let mills = overflows ? magnitude / max(1, UInt64(before) / 1000) : product / UInt64(before)
        if mills < 5 { return "same" }
        return "\(difference > 0 ? "▲" : "▼") \((mills + 5) / 10)%"
    }

    /// <1 ms, 552 ms, 1.89 s, 43.6 s, 2 min 5 s, 1 h 8 min; no seconds from ten minutes on. `space` stands between number and unit.
    package static func duration(_ microseconds: Int64, space: String = " ") -> String {
        if microseconds < 1000 { return "<1\(space)ms" }
        if microseconds < 999_500 { return "\(rounded(microseconds, 1000))\(space)ms" }
        if microseconds < 9_995_000 { return decimal(microseconds, 1_000_000, 2) + "\(space)s" }
        if microseconds < 59_950_000 { return decimal(microseconds, 1_000_000, 1) + "\(space)s" }
        let seconds = rounded(microseconds, 1_000_000)
        if seconds < 600 {
            return "\(seconds / 60)\(space)min" + (seconds % 60 == 0 ? "" : " \(seconds % 60)\(space)s")
        }
        let minutes = rounded(seconds, 60)
        if minutes < 60 { return "\(minutes)\(space)min" }
        let hours = minutes / 60
        if hours < 48 { return "\(hours)\(space)h" + (minutes % 60 == 0 ? "" : " \(minutes % 60)\(space)min") }
        return "\(hours / 24)\(space)d" + (hours % 24 == 0 ? "" : " \(hours % 24)\(space)h")
    }

    /// 14.1 MiB.
    package static func bytes(_ value: Int64, space: String = " ") -> String {
        let units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
        var unit = 0
        var size: Int64 = 1
        while unit + 1 < units.count, value >= size * 1024 {
            size *= 1024
            unit += 1
        }
        let decimals = unit == 0 || value >= 100 * size ? 0 : 1
        return decimal(value, size, decimals) + space + units[unit]
    }

    /// A quotient with so many decimals.
    private static func decimal(_ value: Int64, _ unit: Int64, _ decimals: Int) -> String {
        let scale: Int64 = [1, 10, 100][decimals]
        let (product, overflows) = value.multipliedReportingOverflow(by: scale)
        let scaled = overflows ? rounded(value, unit / scale) : rounded(product, unit)
        if decimals == 0 { return "\(scaled)" }
        let fraction = String(scaled % scale)
        return "\(scaled / scale)." + String(repeating: "0", count: decimals - fraction.utf8.count) + fraction
    }

    private static func rounded(_ value: Int64, _ unit: Int64) -> Int64 {
        let (quotient, rest) = value.quotientAndRemainder(dividingBy: max(1, unit))
        return rest >= unit - rest ? quotient + 1 : quotient
    }
}
