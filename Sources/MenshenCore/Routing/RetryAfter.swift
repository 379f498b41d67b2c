// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// How long a provider asks to be left alone: `retry-after-ms`, or `Retry-After` in seconds or as a date (RFC 9110 §10.2.3).
package enum RetryAfter {
    /// Longer waits are not believed: a wrong date would close a provider until the next start.
    package static let longest: UInt64 = 3_600_000_000

    /// Microseconds from `wallSeconds` (Unix time), at most `longest`; nil if neither field says anything.
    package static func microseconds(milliseconds: String?, _ field: String?, wallSeconds: Int64) -> UInt64? {
        if let value = milliseconds.flatMap(Double.init), value >= 0, value.isFinite {
            return UInt64(min(value * 1000, Double(longest)))
        }
        guard let field else { return nil }
        if let seconds = Double(field), seconds.isFinite {
            return seconds >= 0 ? UInt64(min(seconds * 1_000_000, Double(longest))) : nil
        }
        return date(field).map { UInt64(max(0, min($0 - wallSeconds, Int64(longest / 1_000_000)))) * 1_000_000 }
    }

    /// "Sun, 06 Nov 1994 08:49:37 GMT" in Unix time; the two obsolete forms are not read.
    private static func date(_ text: String) -> Int64? {
        let parts = text.split(separator: " ")
        guard parts.count == 6, parts[0].hasSuffix(","), parts[5] == "GMT", let day = number(parts[1], 1...31),
            let month = months.firstIndex(of: String(parts[2])), let year = number(parts[3], 1970...9999)
        else { return nil }
        let clock = parts[4].split(separator: ":")
        guard clock.count == 3, let hour = number(clock[0], 0...23), let minute = number(clock[1], 0...59),
            let second = number(clock[2], 0...60)
        else { return nil }
        return CivilDay(year, Int64(month) + 1, day).time(hour, minute, second)
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private static func number(_ text: Substring, _ range: ClosedRange<Int64>) -> Int64? {
        guard text.utf8.allSatisfy({ (48...57).contains($0) }), let value = Int64(text), range.contains(value) else {
            return nil
        }
        return value
    }
}
