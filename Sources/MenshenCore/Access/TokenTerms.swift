// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What a token that is given out may do, in the words in which it was said.
package struct TokenTerms: Sendable, Equatable {
    package var providers: [String] = []
    package var models: [String] = []
    package var operations: [String] = []
    package var paths: [String] = []
    /// Texts of `Limit`.
    package var limits: [String] = []
    package var concurrency: Int?
    package var maxErrors: Int?
    /// Seconds since 1970.
    package var expires: Int64?
    package var note: String?

    package init() {}

    /// nil if a word of it is not known here: then nobody knows what it allows.
    package var scope: Scope? {
        let known = operations.compactMap { Operation(rawValue: $0) }
        guard known.count == operations.count else { return nil }
        var scope = Scope()
        scope.providers = providers
        scope.models = models.map { ModelPattern($0) }
        scope.operations = known
        scope.paths = paths.map { ModelPattern($0) }
        return scope
    }

    /// nil if one of them can't be read.
    package var readLimits: [Limit]? {
        let read = limits.compactMap { Limit($0) }
        return read.count == limits.count ? read : nil
    }

    /// Longest list, and longest text in it.
    private static let listLimit = 100
    private static let textLimit = 200

    /// Names of members that `set` takes.
    private static let names = [
        "providers", "models", "operations", "paths", "limits", "concurrency", "max_errors", "expires", "note",
    ]

    /// Takes what a request says; what it does not name stays. An empty text or list takes a term away.
    package mutating func set(_ name: String, _ value: FlatObject.Value, now: Int64) throws(Problem) {
        switch (name, value) {
        case ("providers", .list(let texts)): providers = try Self.checked(name, texts)
        case ("models", .list(let texts)): models = try Self.checked(name, texts)
        case ("paths", .list(let texts)): paths = try Self.checked(name, texts)
        case ("operations", .list(let texts)):
            operations = try Self.checked(name, texts)
            if let unknown = texts.first(where: { Operation(rawValue: $0) == nil }) {
                let known = Operation.allCases.map(\.rawValue)
                let meant = NearName.of(unknown, among: known).map { "; you may mean '\($0)'" } ?? ""
                throw .token("There is no operation '\(unknown)'\(meant). There are \(known.joined(separator: ", ")).")
            }
        case ("limits", .list(let texts)):
            limits = try Self.checked(name, texts)
            if let unread = texts.first(where: { Limit($0) == nil }) {
                throw .token(
                    "'\(unread)' is no limit. Write, for example, 5usd/day, 1000requests/hour, 200000tokens/minute, "
                        + "50usd or \"20usd/30d rolling\".")
            }
        case ("concurrency", .text(let text)): concurrency = try Self.count(name, text)
        case ("max_errors", .text(let text)): maxErrors = try Self.count(name, text)
        case ("expires", .text(let text)): expires = text.isEmpty ? nil : try Self.expiry(text, now: now)
        case ("note", .text(let text)): note = text.isEmpty ? nil : try Self.checked(name, [text])[0]
        default: throw Self.unknown(name)
        }
    }

    private static func unknown(_ name: String) -> Problem {
        if ["concurrency", "max_errors", "expires", "note"].contains(name) {
            return .token("'\(name)' takes a text.")
        }
        if names.contains(name) { return .token("'\(name)' takes a list of texts.") }
        let meant = NearName.of(name, among: names).map { " You may mean '\($0)'." } ?? ""
        return .token("There is no member '\(name)'.\(meant)")
    }

    private static func checked(_ name: String, _ texts: [String]) throws(Problem) -> [String] {
        guard texts.count <= listLimit else { throw .token("'\(name)' has more than \(listLimit) entries.") }
        for text in texts {
            let isPlain = text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
            guard !text.isEmpty, text.utf8.count <= textLimit, isPlain else {
                throw .token("A text of '\(name)' must have 1 to \(textLimit) bytes and no control character.")
            }
        }
        return texts
    }

    private static func count(_ name: String, _ text: String) throws(Problem) -> Int? {
        if text.isEmpty { return nil }
        guard let count = Int(text), count > 0, count <= 1_000_000 else {
            throw .token("'\(name)' takes a number from 1 to 1000000.")
        }
        return count
    }

    private static func expiry(_ text: String, now: Int64) throws(Problem) -> Int64 {
        guard let time = ExpiryText.parse(text, now: now) else {
            throw .token(
                "'\(text)' is no time to expire. Write 30d, 12h, 2026-12-31 or 2026-12-31T18:00:00Z (UTC), at most 366d."
            )
        }
        guard time > now else { throw .token("\(ExpiryText.written(time)) is over already.") }
        return time
    }
}

extension TokenTerms {
    static let unlimited = "no limits"

    /// "provider openai; models gpt-*; 5usd/day; expires 2026-12-31 00:00:00 UTC", or "no limits".
    package var words: String {
        var parts: [String] = []
        func add(_ one: String, _ many: String, _ texts: [String]) {
            if !texts.isEmpty { parts.append("\(texts.count == 1 ? one : many) \(texts.joined(separator: ", "))") }
        }
        add("provider", "providers", providers)
        add("model", "models", models)
        add("operation", "operations", operations)
        add("path", "paths", paths)
        parts += limits
        if let concurrency { parts.append("\(concurrency) at a time") }
        if let maxErrors { parts.append("\(maxErrors) errors in a row") }
        if let expires { parts.append("expires \(ExpiryText.written(expires))") }
        return parts.isEmpty ? Self.unlimited : parts.joined(separator: "; ")
    }
}

extension Problem {
    /// What is wrong with a request about tokens.
    package static func token(_ message: String, status: Int = 400) -> Problem {
        Problem(.malformedRequest, status: status, message)
    }
}
