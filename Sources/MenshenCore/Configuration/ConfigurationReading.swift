// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import TOML

/// What one decoding shares: where the text came from, how to look a variable up, and what was found wrong so far.
/// A class because every section adds to the same list; lives on one thread for the length of one call.
final class ConfigurationReading {
    let file: String
    /// Of `prices.toml`; nil: they are not known.
    let priceProviders: Set<String>?
    let environment: (String) -> String?
    /// Whether tokens were given out with such a configuration; only asked where that matters.
    let issuesTokens: (Configuration) -> Bool
    private(set) var diagnostics: [Diagnostic] = []

    init(
        file: String, priceProviders: Set<String>?, environment: @escaping (String) -> String?,
        issuesTokens: @escaping (Configuration) -> Bool = { _ in false }
    ) {
        self.file = file
        self.priceProviders = priceProviders
        self.issuesTokens = issuesTokens
        self.environment = environment
    }

    var hasErrors: Bool { diagnostics.contains { $0.severity == .error } }

    /// No message or hint may repeat a value: any of them may be a key, expanded or pasted into the wrong line.
    func report(_ severity: Diagnostic.Severity, at span: SourceSpan?, _ message: String, hint: String? = nil) {
        diagnostics.append(
            Diagnostic(
                severity, file: file, line: span?.line ?? 0, column: span?.column ?? 0, message: message, hint: hint))
    }

    func error(at span: SourceSpan?, _ message: String, hint: String? = nil) {
        report(.error, at: span, message, hint: hint)
    }

    func warning(at span: SourceSpan?, _ message: String, hint: String? = nil) {
        report(.warning, at: span, message, hint: hint)
    }

    /// By place; what has none comes last, and what shares a place keeps the order it was found in. Once each: a value that
    /// two settings are made of is read twice.
    func sorted() -> [Diagnostic] {
        func place(_ diagnostic: Diagnostic) -> (Int, Int) {
            (diagnostic.line == 0 ? .max : diagnostic.line, diagnostic.column)
        }
        let byPlace = diagnostics.enumerated().sorted { left, right in
            let (a, b) = (place(left.element), place(right.element))
            return a == b ? left.offset < right.offset : a < b
        }.map(\.element)
        return byPlace.reduce(into: []) { once, next in if once.last != next { once.append(next) } }
    }
}

/// A string value after `${NAME}` was filled in.
struct ExpandedText {
    var text: String
    var span: SourceSpan
    /// True if a variable was filled in.
    var isExpanded: Bool

    /// Only what an HTTP header can carry within one word: 0x21 to 0x7E.
    var isVisibleASCII: Bool { text.utf8.allSatisfy { (0x21...0x7E).contains($0) } }

    /// `$NAME` without braces: ai-menshen would have filled it in, menshen takes it as it stands.
    var looksLikeVariable: Bool { !isExpanded && text.hasPrefix("$") && Interpolation.isName(text.utf8.dropFirst()) }

    func warnOfDollar(_ key: String, _ reading: ConfigurationReading) {
        guard looksLikeVariable else { return }
        reading.warning(
            at: span, "\(key) begins with \"$\" and is taken as it stands",
            hint: "write ${NAME}, with braces, to fill in a variable")
    }
}
