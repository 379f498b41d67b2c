// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Requests that are so in one respect or another. Filters of a query hold all at once.
package struct ReportFilter: Sendable, Equatable {
    /// A dimension has one of some values.
    package struct Choice: Sendable, Equatable {
        package let dimension: Dimension
        private let patterns: [ModelPattern]
        private let takesNone: Bool

        /// Each is a value, a pattern in which `*` stands for anything, or nil for requests that have no value there. None:
        /// nothing matches. Of `status` also `4xx`.
        package init(_ dimension: Dimension, _ values: [String?]) {
            self.dimension = dimension
            takesNone = values.contains(nil)
            patterns = values.compactMap { $0.map(ModelPattern.init) }
        }

        package func matches(_ value: String?) -> Bool {
            guard let value else { return takesNone }
            return patterns.contains { pattern in
                if pattern.matches(value) { return true }
                guard dimension == .status else { return false }
                return Self.isClass(pattern.description, of: value)
            }
        }

        /// "4xx" of "404".
        private static func isClass(_ text: String, of status: String) -> Bool {
            text.utf8.count == 3 && text.hasSuffix("xx") && text.utf8.first == status.utf8.first
        }
    }

    package let choices: [Choice]
    package let traits: RequestTraits

    private init(_ choices: [Choice], _ traits: RequestTraits) { (self.choices, self.traits) = (choices, traits) }

    package init(_ dimension: Dimension, _ values: [String?]) { self.init([Choice(dimension, values)], []) }

    package static let failed = ReportFilter([], .failed)
    package static let unpriced = ReportFilter([], .unpriced)

    package func or(_ other: ReportFilter) -> ReportFilter {
        ReportFilter(choices + other.choices, traits.union(other.traits))
    }

    package func matches(_ traits: RequestTraits, _ value: (Dimension) -> String?) -> Bool {
        !self.traits.isDisjoint(with: traits) || choices.contains { $0.matches(value($0.dimension)) }
    }
}

/// What a request is beside its dimensions.
package struct RequestTraits: OptionSet, Sendable {
    package let rawValue: Int

    package init(rawValue: Int) { self.rawValue = rawValue }

    /// As `ReportSums.Count.failed` says it.
    package static let failed = RequestTraits(rawValue: 1)
    /// Its cost is not known, or its usage isn't.
    package static let unpriced = RequestTraits(rawValue: 2)

    /// What counts the requests that have one of these.
    package var counts: [ReportSums.Count] {
        (contains(.failed) ? [.failed] : []) + (contains(.unpriced) ? [.unpriced, .usageUnknown] : [])
    }
}

extension ReportFilter {
    /// Words for ends, with the one that is more than a single end state.
    private static let ends = EndState.allCases.map(\.rawValue) + ["open", failedWord]
    package static let failedWord = "failed"

    /// Of words for ends; nil if there are none.
    package static func ends(_ words: [String]) -> ReportFilter? {
        let states = words.filter { $0 != failedWord }
        var filter = states.isEmpty ? nil : ReportFilter(.outcome, states)
        if states.count < words.count { filter = filter?.or(.failed) ?? .failed }
        return filter
    }

    /// Why no request has this value; nil: one may, as far as can be known.
    package static func objection(to value: String, of dimension: Dimension) -> String? {
        switch dimension {
        case .status where !isStatus(value): return "No status is so; say one (429), a class (4xx) or a pattern (42*)."
        case .outcome where !ends.contains(value) && !value.contains("*"):
            let meant = NearName.of(value, among: ends).map { " You may mean '\($0)'." } ?? ""
            return "No request ends so.\(meant) It is one of \(ends.joined(separator: ", "))."
        default: return nil
        }
    }

    private static func isStatus(_ text: String) -> Bool {
        func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }
        if text.contains("*") { return text.utf8.allSatisfy { isDigit($0) || $0 == UInt8(ascii: "*") } }
        guard text.utf8.count == 3, let first = text.utf8.first, isDigit(first) else { return false }
        return text.hasSuffix("xx") || text.utf8.allSatisfy(isDigit)
    }
}
