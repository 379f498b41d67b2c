// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

extension Limit {
    /// Why a text is no limit. It does not repeat the text, which may be anything.
    package enum Fault: Error, Sendable, CaseIterable, CustomStringConvertible {
        case noNumber, notWhole, tooLarge, zero, unknownMeasure, unknownWindow, notRolling, shortWindow

        package var description: String {
            switch self {
            case .noNumber: "a limit begins with a number, as in \"5usd/day\" or \"100 requests/minute\""
            case .notWhole:
                "this amount is not exact: write dollars with at most 12 decimals, and a whole number of anything else"
            case .tooLarge: "this amount is too large"
            case .zero: "an amount of 0 allows nothing; leave the limit out, or what it is for"
            case .unknownMeasure:
                "after the number a limit says usd, requests, tokens, input_tokens or output_tokens, as in \"2m tokens/day\""
            case .unknownWindow:
                "after \"/\" a limit says minute, hour, day, week, month or a time such as \"7d rolling\"; without \"/\" it is for ever"
            case .notRolling:
                "a time needs \"rolling\" behind it, as in \"20usd/7d rolling\"; those of the calendar are minute, hour, day, week and month"
            case .shortWindow: "a rolling window is 1min to 366d long"
            }
        }
    }

    /// nil for a text of another form.
    package init?(_ text: String) {
        guard let limit = try? Self.read(text) else { return nil }
        self = limit
    }

    /// AMOUNT MEASURE, alone or with "/WINDOW" behind it, and with "cut" at the end; in large or small letters and with blanks
    /// wherever they read well.
    package static func read(_ text: String) throws(Fault) -> Limit {
        var text = trimmed(text.lowercased()[...])
        let cuts = text.hasSuffix(" \(cut)")
        if cuts { text = trimmed(text.dropLast(cut.count)) }
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let (measure, amount) = try quantity(trimmed(parts[0]))
        return Limit(measure, amount, per: parts.count == 1 ? .ever : try window(trimmed(parts[1])), cuts: cuts)
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop { $0 == " " }
        while text.last == " " { text = text.dropLast() }
        return text
    }

    private static let names: [String: Measure] = [
        "usd": .money, "requests": .requests, "request": .requests, "tokens": .tokens, "token": .tokens,
        "input_tokens": .inputTokens, "input tokens": .inputTokens,
        "output_tokens": .outputTokens, "output tokens": .outputTokens,
    ]

    private static func quantity(_ text: Substring) throws(Fault) -> (Measure, Int64) {
        let number = text.prefix { ("0"..."9").contains($0) || $0 == "." || $0 == "_" }
        guard number.contains(where: { $0 != "." && $0 != "_" }) else { throw .noNumber }
        var unit = trimmed(text.dropFirst(number.count))
        var scale: Int64 = 1
        if names[String(unit)] == nil, let thousands: Int64 = ["k": 1000, "m": 1_000_000][unit.first ?? " "] {
            scale = thousands
            unit = trimmed(unit.dropFirst())
        }
        guard let measure = names[String(unit)] else { throw .unknownMeasure }
        let digits = String(number.filter { $0 != "_" })
        let amount = measure == .money ? try scaled(digits, 12, scale) : try scaled(digits, 0, scale)
        if amount == 0 { throw .zero }
        return (measure, amount)
    }

    /// The number times 10 to the power of `places` times `scale`, exactly.
    private static func scaled(_ digits: String, _ places: Int, _ scale: Int64) throws(Fault) -> Int64 {
        let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty }) else { throw .notWhole }
        var fraction = parts.count == 2 ? parts[1] : ""
        while fraction.last == "0" { fraction = fraction.dropLast() }
        // 1.5m is whole as well.
        var rest = places
        var factor = scale
        while rest < fraction.utf8.count {
            guard factor % 10 == 0 else { throw .notWhole }
            factor /= 10
            rest += 1
        }
        let zeros = String(repeating: "0", count: rest - fraction.utf8.count)
        guard let number = Int64(parts[0] + fraction + zeros) else { throw .tooLarge }
        let (amount, isOver) = number.multipliedReportingOverflow(by: factor)
        if isOver { throw .tooLarge }
        return amount
    }

    private static func window(_ text: Substring) throws(Fault) -> Window {
        if text == "ever" { return .ever }
        if let named = Window.calendar.first(where: { $0.name == text }) { return named.window }
        let rolling = "rolling"
        let isRolling = text.hasPrefix(rolling) || text.hasSuffix(rolling)
        let length =
            text.hasPrefix(rolling) ? text.dropFirst(rolling.count) : text.dropLast(isRolling ? rolling.count : 0)
        guard let time = DurationText.parse(String(trimmed(length))) else { throw .unknownWindow }
        guard isRolling else { throw .notRolling }
        let (seconds, rest) = time.components
        guard seconds >= 60, rest == 0 else { throw .shortWindow }
        return .rolling(seconds: seconds)
    }
}
