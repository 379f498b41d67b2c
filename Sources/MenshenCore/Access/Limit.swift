// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// How much of something may be used in a time: "5usd/day", "1000requests/hour", "2000000tokens/30d rolling", "50usd".
package struct Limit: Sendable, Equatable, CustomStringConvertible {
    package enum Measure: String, Sendable, CaseIterable {
        /// In picodollars.
        case money = "usd"
        case requests
        /// Input and output together.
        case tokens
        case inputTokens = "input_tokens"
        case outputTokens = "output_tokens"
    }

    package enum Window: Sendable, Equatable {
        /// Of the calendar, in the zone that the configuration states.
        case minute, hour, day, week, month
        /// The time before now.
        case rolling(Duration)
        /// It never starts anew.
        case ever
    }

    package let measure: Measure
    package let amount: Int64
    package let window: Window

    package init(_ measure: Measure, _ amount: Int64, per window: Window) {
        self.measure = measure
        self.amount = amount
        self.window = window
    }

    /// nil for a text of another form.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let number = parts[0].prefix { $0.isNumber || $0 == "." }
        let unit = parts[0].dropFirst(number.count).drop { $0 == " " }
        guard let measure = Measure(rawValue: String(unit)) else { return nil }
        let amount = measure == .money ? Money(dollars: number)?.picodollars : Int64(number)
        guard let amount, let window = parts.count == 1 ? .ever : Self.window(parts[1]) else { return nil }
        self.init(measure, amount, per: window)
    }

    private static let calendar: [(name: String, window: Window)] = [
        ("minute", .minute), ("hour", .hour), ("day", .day), ("week", .week), ("month", .month),
    ]

    private static func window(_ text: Substring) -> Window? {
        if let named = calendar.first(where: { $0.name == text }) { return named.window }
        let rolling = " rolling"
        guard text.hasSuffix(rolling), let time = DurationText.parse(String(text.dropLast(rolling.count))),
            time > .zero
        else { return nil }
        return .rolling(time)
    }

    /// What `init(_:)` reads.
    package var description: String {
        let quantity = measure == .money ? Money(picodollars: amount).dollars : "\(amount)"
        let name = quantity + measure.rawValue
        switch window {
        case .ever: return name
        case .rolling(let time): return "\(name)/\(DurationText.written(time)) rolling"
        default: return "\(name)/\(Self.calendar.first { $0.window == window }?.name ?? "")"
        }
    }
}
