// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Durations as people write them: "500ms", "10s", "1h30m", "2d". A bare number counts seconds.
package enum DurationText {
    /// Longer waits are mistakes, and the limit keeps every timer's arithmetic far from overflow.
    static let longest: Duration = .seconds(366 * 86_400)

    private static let units: [(name: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1000), ("min", 60_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
    ]

    /// nil if the text is no duration or longer than a year.
    package static func parse(_ text: String) -> Duration? {
        var total: Int64 = 0
        var rest = Array(text.utf8)[...]
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            guard let (number, unit) = QuantityText.next(&rest) else { return nil }
            let scale =
                unit.isEmpty && total == 0 && rest.isEmpty ? 1000 : units.first { $0.name == unit }?.milliseconds
            guard let scale else { return nil }
            let (product, overflow) = number.multipliedReportingOverflow(by: scale)
            guard !overflow, product <= 366 * 86_400_000 else { return nil }
            total += product
        }
        let duration = Duration.milliseconds(total)
        return duration <= longest ? duration : nil
    }

    /// In the largest unit that divides it: "10min", "75s", "250ms".
    package static func written(_ duration: Duration) -> String {
        let parts = duration.components
        let milliseconds = parts.seconds * 1000 + parts.attoseconds / 1_000_000_000_000_000
        let unit = units.filter { $0.name != "m" }.last { milliseconds % $0.milliseconds == 0 && milliseconds > 0 }
        return unit.map { "\(milliseconds / $0.milliseconds)\($0.name)" } ?? "0s"
    }
}

/// Byte counts: "64MiB", "32KiB", "512B"; a bare number counts bytes. "MB" is refused: people mean two things by it.
package enum ByteSizeText {
    private static let units: [(name: String, bytes: Int64)] = [
        ("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30),
    ]

    package static func parse(_ text: String) -> Int? {
        var rest = Array(text.utf8)[...]
        guard let (number, unit) = QuantityText.next(&rest), rest.isEmpty else { return nil }
        guard let scale = unit.isEmpty ? 1 : units.first(where: { $0.name == unit })?.bytes else { return nil }
        let (product, overflow) = number.multipliedReportingOverflow(by: scale)
        return overflow ? nil : Int(exactly: product)
    }

    package static func written(_ bytes: Int) -> String {
        let unit = units.last { Int64(bytes) % $0.bytes == 0 && bytes > 0 }
        return unit.map { "\(Int64(bytes) / $0.bytes)\($0.name)" } ?? "0B"
    }
}

private enum QuantityText {
    /// Takes "10", " 10", "10s" or "10 s" off the front: digits, then letters; nil if there are no digits.
    static func next(_ rest: inout ArraySlice<UInt8>) -> (number: Int64, unit: String)? {
        rest = rest.drop { $0 == UInt8(ascii: " ") }
        let digits = rest.prefix { (48...57).contains($0) }
        guard let number = Int64(String(decoding: digits, as: UTF8.self)) else { return nil }
        rest = rest.dropFirst(digits.count).drop { $0 == UInt8(ascii: " ") }
        let letters = rest.prefix { (65...90).contains($0) || (97...122).contains($0) }
        rest = rest.dropFirst(letters.count)
        return (number, String(decoding: letters, as: UTF8.self))
    }
}
