// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// How much of something may be used in a time: "5usd/day", "100 requests/minute", "20usd/7d rolling", "50usd". How it is
/// read is in LimitReading.swift.
package struct Limit: Sendable, Hashable, CustomStringConvertible {
    package enum Measure: String, Sendable, CaseIterable {
        /// In picodollars.
        case money = "usd"
        case requests
        /// Input and output together.
        case tokens
        case inputTokens = "input_tokens"
        case outputTokens = "output_tokens"
    }

    package enum Window: Sendable, Hashable {
        /// Of the calendar, in the zone that the configuration states.
        case minute, hour, day, week, month
        /// The time before now, in whole seconds.
        case rolling(seconds: Int64)
        /// It never starts anew.
        case ever
    }

    package let measure: Measure
    /// Above 0.
    package let amount: Int64
    package let window: Window
    /// A stream that passes it ends there, instead of running to its end.
    package let cuts: Bool

    package init(_ measure: Measure, _ amount: Int64, per window: Window, cuts: Bool = false) {
        self.measure = measure
        self.amount = amount
        self.window = window
        self.cuts = cuts
    }

    /// What `read` reads.
    package var description: String { "\(words)\(cuts ? " \(Self.cut)" : "")" }

    /// How much, and in which time.
    package var words: String {
        let quantity = measure.text(amount)
        return window == .ever ? quantity : "\(quantity)/\(window)"
    }

    static let cut = "cut"
}

extension Limit.Measure {
    /// "0.25usd", "100 requests".
    package func text(_ amount: Int64) -> String {
        self == .money ? Money(picodollars: amount).dollars + rawValue : "\(amount) \(rawValue)"
    }
}

extension Limit.Window: CustomStringConvertible {
    static let calendar: [(name: String, window: Limit.Window)] = [
        ("minute", .minute), ("hour", .hour), ("day", .day), ("week", .week), ("month", .month),
    ]

    package var description: String {
        switch self {
        case .rolling(let seconds): "\(DurationText.written(.seconds(seconds))) rolling"
        case .ever: "ever"
        default: Self.calendar.first { $0.window == self }?.name ?? ""
        }
    }
}
