// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP

/// Values of fields that speak of a limit, which each provider writes in its own way.
enum HeadroomValue {
    /// Digits of a number, with those behind the point: what fits.
    private static let maxDigits = 18
    /// The longest value that means something: a time with its zone.
    private static let maxLength = 40
    /// A reset further away is a mistake. Microseconds.
    private static let farthest: Int64 = 400 * 86_400_000_000

    /// "449", or "0.05" with `digits` behind the point; further ones are dropped. The number times 10 to the power of `digits`.
    static func decimal(_ text: ArraySlice<UInt8>, digits: Int) -> Int64? {
        guard let number = number(text, from: text.startIndex, digits: digits), number.end == text.endIndex else {
            return nil
        }
        return number.value
    }

    /// Letters, digits, "_" and "-", in small letters; at most 24.
    static func word(_ text: ArraySlice<UInt8>) -> String? {
        let bytes = text.map(\.lowercased)
        let isWord = bytes.allSatisfy {
            (97...122).contains($0) || (48...57).contains($0) || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-")
        }
        return isWord && !bytes.isEmpty && bytes.count <= 24 ? String(decoding: bytes, as: UTF8.self) : nil
    }

    /// When a limit begins anew, in microseconds of Unix time: a time in RFC 3339 (Anthropic), a duration as Go writes it
    /// (OpenAI's "6m0s", Groq's "2m59.56s"), or a number: of seconds from now, of seconds or of milliseconds since 1970, which their
    /// size tells apart.
    static func reset(_ text: ArraySlice<UInt8>, wall: Int64) -> Int64? {
        guard !text.isEmpty, text.count <= maxLength else { return nil }
        guard let moment = time(text) ?? plain(text, wall) ?? duration(text).map({ wall + $0 }) else { return nil }
        return abs(moment - wall) <= farthest ? moment : nil
    }

    // MARK: Forms

    private static func plain(_ text: ArraySlice<UInt8>, _ wall: Int64) -> Int64? {
        guard let thousandths = decimal(text, digits: 3) else { return nil }
        switch thousandths / 1000 {
        case 100_000_000_000...: return thousandths
        case 1_000_000_000...: return thousandths * 1000
        default: return wall + thousandths * 1000
        }
    }

    private static let units: [(name: [UInt8], micros: Int64, divisor: Int64)] = [
        (Array("ms".utf8), 1000, 1), (Array("us".utf8), 1, 1), (Array("µs".utf8), 1, 1), (Array("ns".utf8), 1, 1000),
        (Array("d".utf8), 86_400_000_000, 1), (Array("h".utf8), 3_600_000_000, 1), (Array("m".utf8), 60_000_000, 1),
        (Array("s".utf8), 1_000_000, 1),
    ]

    /// Microseconds.
    private static func duration(_ text: ArraySlice<UInt8>) -> Int64? {
        var index = text.startIndex
        var sum: Int64 = 0
        while index < text.endIndex {
            guard let number = number(text, from: index, digits: 3) else { return nil }
            let rest = text[number.end...]
            guard let unit = units.first(where: { rest.starts(with: $0.name) }) else { return nil }
            let (product, overflows) = number.value.multipliedReportingOverflow(by: unit.micros)
            if overflows { return nil }
            sum += product / 1000 / unit.divisor
            if sum > farthest { return nil }
            index = number.end + unit.name.count
        }
        return sum
    }

    /// "2026-11-28T01:02:03Z", also with a fraction, or with a zone such as "+01:00".
    private static func time(_ text: ArraySlice<UInt8>) -> Int64? {
        let start = text.startIndex
        func field(_ offset: Int, _ count: Int) -> Int64? {
            var value: Int64 = 0
            for index in start + offset..<start + offset + count {
                guard (48...57).contains(text[index]) else { return nil }
                value = value * 10 + Int64(text[index] - 48)
            }
            return value
        }
        guard text.count >= 20, text[start + 4] == UInt8(ascii: "-"), text[start + 7] == UInt8(ascii: "-"),
            text[start + 10].lowercased == UInt8(ascii: "t"), text[start + 13] == UInt8(ascii: ":"),
            text[start + 16] == UInt8(ascii: ":"),
            let year = field(0, 4), let month = field(5, 2), let day = field(8, 2), let hour = field(11, 2),
            let minute = field(14, 2), let second = field(17, 2), (1970...9999).contains(year),
            (1...12).contains(month), (1...31).contains(day), hour < 24, minute < 60, second <= 60
        else { return nil }
        var index = start + 19
        var fraction: Int64 = 0
        if text[index] == UInt8(ascii: ".") {
            var scale: Int64 = 100_000
            index += 1
            while index < text.endIndex, (48...57).contains(text[index]) {
                fraction += Int64(text[index] - 48) * scale
                scale /= 10
                index += 1
            }
        }
        guard let zone = zone(text[index...]) else { return nil }
        let seconds = CivilDay(year, month, day).time(hour, minute, second)
        return (seconds - zone) * 1_000_000 + fraction
    }

    /// Seconds east of Greenwich.
    private static func zone(_ text: ArraySlice<UInt8>) -> Int64? {
        guard let sign = text.first else { return nil }
        if text.count == 1 { return sign.lowercased == UInt8(ascii: "z") ? 0 : nil }
        let digits = text.dropFirst().filter { $0 != UInt8(ascii: ":") }
        guard digits.count == 4, let value = decimal(digits[...], digits: 0),
            sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-")
        else { return nil }
        let seconds = value / 100 * 3600 + value % 100 * 60
        return sign == UInt8(ascii: "+") ? seconds : -seconds
    }

    /// The number at a place, times 10 to the power of `digits`, and where it ends.
    private static func number(
        _ text: ArraySlice<UInt8>, from start: Int, digits: Int
    ) -> (value: Int64, end: Int)? {
        var index = start
        var value: Int64 = 0
        while index < text.endIndex, (48...57).contains(text[index]) {
            // Before the next digit is added: a nineteenth need not fit.
            if index - start >= maxDigits - digits { return nil }
            value = value * 10 + Int64(text[index] - 48)
            index += 1
        }
        if index == start { return nil }
        var missing = digits
        if index < text.endIndex, text[index] == UInt8(ascii: ".") {
            index += 1
            let point = index
            while index < text.endIndex, (48...57).contains(text[index]) {
                if missing > 0 {
                    value = value * 10 + Int64(text[index] - 48)
                    missing -= 1
                }
                index += 1
            }
            if index == point { return nil }
        }
        for _ in 0..<missing { value *= 10 }
        return (value, index)
    }
}
