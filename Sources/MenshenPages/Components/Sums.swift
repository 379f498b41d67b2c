// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// What a page measures requests by.
enum Measure: String, CaseIterable {
    case spend, requests, tokens

    var title: String {
        switch self {
        case .spend: "Spend"
        case .requests: "Requests"
        case .tokens: "Tokens"
        }
    }

    func value(_ sums: ReportSums) -> Int64 {
        switch self {
        case .spend: sums[.cost]
        case .requests: sums[.requests]
        case .tokens: sums.tokens
        }
    }

    func text(_ value: Int64) -> String {
        switch self {
        case .spend: Figures.money(Money(picodollars: value))
        case .requests: Figures.count(value)
        case .tokens: Figures.tokens(value)
        }
    }

    static func segments(_ context: PageContext, _ current: Measure) -> HTML {
        .segments(
            "Measure",
            allCases.map { measure in
                HTML.Segment(
                    words: measure.title,
                    address: context.address.with("measure", measure == .spend ? nil : measure.rawValue),
                    isCurrent: measure == current)
            })
    }
}

extension ReportSums {
    var tokens: Int64 {
        let (sum, overflows) = self[.inputTotal].addingReportingOverflow(self[.outputTotal])
        return overflows ? .max : sum
    }

    /// Requests whose cost is not in the sum, or not as a whole.
    var missing: Int64 { self[.unpriced] + self[.usageUnknown] + self[.partial] }

    /// A provider said what was used, for one of them at least, or nothing was.
    private var knowsTokens: Bool { tokens > 0 || self[.usageUnknown] == 0 }

    var inputText: String { !knowsTokens ? "?" : self[.requests] == 0 ? "–" : Figures.tokens(self[.inputTotal]) }
    var outputText: String { !knowsTokens ? "?" : self[.requests] == 0 ? "–" : Figures.tokens(self[.outputTotal]) }

    /// Read from a provider's cache, of what went in; blank where nothing went in.
    var cachedText: String { self[.inputTotal] > 0 ? Figures.share(self[.cacheRead], of: self[.inputTotal]) : "" }

    /// $1.20, ≥ $1.20, unpriced; ? where nothing is known.
    var spendText: HTML {
        switch spend {
        case .nothing: "–"
        case .unpriced: "<span class=\"muted\">unpriced</span>"
        case .unknown: "<span title=\"Usage was not reported\">?</span>"
        case .amount(let money, let isLowerBound): "\(Self.atLeast, if: isLowerBound)\(Figures.money(money))"
        }
    }

    /// By caches: $1.20, ≥ $1.20; ? where nothing is known.
    var savedText: HTML {
        if self[.saved] == 0, isSavedLowerBound { return "<span title=\"What is not known has no price\">?</span>" }
        return "\(Self.atLeast, if: isSavedLowerBound)\(Figures.money(saved))"
    }

    static let atLeast: HTML = """
        <span class="at-least" title="At least: some requests have no price, or their usage is not known">≥ </span>
        """

    /// In a measure; a lower bound is said to be one.
    func text(_ measure: Measure) -> HTML {
        switch measure {
        case .spend: spendText
        case .requests: "\(Figures.count(self[.requests]))"
        case .tokens:
            "\(Self.atLeast, if: self[.usageUnknown] > 0 && tokens > 0)\(knowsTokens ? Figures.tokens(tokens) : "?")"
        }
    }

    var failedShare: String { Figures.share(self[.failed], of: self[.requests]) }
    var mean: String {
        self[.settled] == 0 ? "" : Figures.shortDuration(self[.totalMicroseconds] / self[.settled])
    }
}
