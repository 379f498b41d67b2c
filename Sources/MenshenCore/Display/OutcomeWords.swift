// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// How a request ended, in a mark and a few words.
package struct OutcomeWords: Sendable, Equatable {
    /// Shapes, so that none is told by its colour alone. The raw value is its sign in a terminal.
    package enum Mark: String, Sendable, CaseIterable {
        case fine = "●"
        case open = "◌"
        case cached = "◆"
        case left = "◐"
        case warning = "▲"
        case refused = "■"
        case failed = "✕"
        case off = "○"

        /// Where there is no Unicode.
        package var ascii: String {
            switch self {
            case .fine: "+"
            case .open: "o"
            case .cached: "*"
            case .left: "("
            case .warning: "!"
            case .refused: "#"
            case .failed: "x"
            case .off: "-"
            }
        }
    }

    package let mark: Mark
    package let words: String

    /// `problem`: its code, as it is recorded.
    package init(status: Int?, endState: String, problem: String?, attempts: Int, isFromCache: Bool) {
        let tries = attempts > 1 ? ", \(attempts) tries" : ""
        switch EndState(rawValue: endState) {
        case .complete where isFromCache: self.init(.cached, "From cache")
        case .complete where status ?? 0 < 400: self.init(.fine, "Complete\(tries)")
        case .complete where status == 429: self.init(.warning, "Rate limited\(tries)")
        case .complete where status ?? 0 >= 500: self.init(.failed, "Provider error\(tries)")
        case .complete: self.init(.failed, "Error\(Self.reason(problem))\(tries)")
        case .refused: self.init(.refused, "Refused\(Self.reason(problem))")
        case .upstreamError: self.init(.failed, "Provider failed\(Self.reason(problem))\(tries)")
        case .truncated: self.init(.warning, "Truncated\(tries)")
        case .streamError: self.init(.failed, "Error in the stream\(Self.reason(problem))")
        case .clientGone: self.init(.left, "Caller left\(tries)")
        case .timeout: self.init(.failed, "Timeout\(Self.reason(problem))\(tries)")
        case .aborted: self.init(.failed, "Aborted")
        case .lost: self.init(.failed, "Lost")
        case nil: self.init(.open, "Open")
        }
    }

    private init(_ mark: Mark, _ words: String) {
        self.mark = mark
        self.words = words
    }

    private static func reason(_ code: String?) -> String {
        guard let code, !code.isEmpty else { return "" }
        return ": " + (known[code] ?? code.split(separator: "_").joined(separator: " "))
    }

    /// Codes that would not say it well with their underscores read as spaces.
    private static let known = [
        "unauthenticated": "no valid token", "refusals_summarised": "no valid token",
        "budget_reached": "budget spent", "key_unavailable": "no key to use", "limit_reached": "limit reached",
    ]
}
