// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// One `[[callers]]`: whom it is for, and what they may do. It is for those whom each of its matchers matches; one without
/// matchers is for everybody.
package struct CallerRule: Sendable, Equatable {
    /// A user or a group of this machine.
    package struct Account: Sendable, Equatable {
        /// A name or a number.
        package let text: String
        /// nil until the name has been looked up.
        package var id: UInt32?
        package let line: Int
        package let column: Int

        package init(_ text: String, line: Int = 0, column: Int = 0) {
            self.text = text
            self.line = line
            self.column = column
            id = UInt32(text)
        }
    }

    package enum Matcher: String, Sendable {
        case user, group, token, unit, program
    }

    package var name = ""
    package var users: [Account] = []
    package var groups: [Account] = []
    /// Names of tokens.
    package var tokens: [ModelPattern] = []
    /// What a program says of itself, as these two are, tells callers of one user apart; it proves nothing.
    package var units: [ModelPattern] = []
    /// Of the whole path, or of the last part if there is no slash in the pattern.
    package var programs: [ModelPattern] = []

    package var scope = Scope()
    package var limits: [Limit] = []
    /// Requests at the same time.
    package var concurrency: Int?
    /// Refused after so many errors of its requests one after the other.
    package var maxErrors: Int?
    package var isDenied = false
    /// Where it begins in the configuration.
    package var line = 0

    package init() {}

    /// The first of its matchers that does not match; nil: the rule is for this caller.
    package func mismatch(_ caller: CallerRecord, token: String?) -> Matcher? {
        if !users.isEmpty, !users.contains(where: { $0.id != nil && $0.id == caller.uid }) { return .user }
        if !groups.isEmpty, !groups.contains(where: { $0.id.map(caller.isIn) ?? false }) { return .group }
        if !tokens.isEmpty, !Self.match(tokens, token) { return .token }
        if !units.isEmpty, !Self.match(units, caller.unit) { return .unit }
        if !programs.isEmpty, !matches(program: caller.executable) { return .program }
        return nil
    }

    private static func match(_ patterns: [ModelPattern], _ text: String?) -> Bool {
        guard let text else { return false }
        return patterns.contains { $0.matches(text) }
    }

    private func matches(program path: String?) -> Bool {
        guard let path else { return false }
        let name = path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
        return programs.contains { $0.matches($0.description.contains("/") ? path : name) }
    }
}

// MARK: Rules that can never match

extension CallerRule {
    /// Rules whom an earlier one leaves nothing to match, and the first such one.
    package static func unreachable(_ rules: [CallerRule]) -> [(rule: Int, by: Int)] {
        rules.indices.compactMap { index in
            rules[..<index].firstIndex { $0.covers(rules[index]) }.map { (index, $0) }
        }
    }

    /// It matches everybody whom the other one matches.
    private func covers(_ other: CallerRule) -> Bool {
        Self.cover(users, other.users) && Self.cover(groups, other.groups) && Self.cover(tokens, other.tokens)
            && Self.cover(units, other.units) && Self.coverPrograms(programs, other.programs)
    }

    /// A pattern without a slash is held against a program's name, another against its whole path: only the same one, or one
    /// that matches all, covers another for certain.
    private static func coverPrograms(_ wide: [ModelPattern], _ narrow: [ModelPattern]) -> Bool {
        if wide.isEmpty { return true }
        return !narrow.isEmpty
            && narrow.allSatisfy { one in wide.contains { $0 == one || $0.description == "*" } }
    }

    private static func cover(_ wide: [Account], _ narrow: [Account]) -> Bool {
        if wide.isEmpty { return true }
        return !narrow.isEmpty
            && narrow.allSatisfy { one in wide.contains { $0.text == one.text || $0.id != nil && $0.id == one.id } }
    }

    /// A pattern that matches the text of another matches all that this one does: only a star takes a star.
    private static func cover(_ wide: [ModelPattern], _ narrow: [ModelPattern]) -> Bool {
        if wide.isEmpty { return true }
        return !narrow.isEmpty && narrow.allSatisfy { one in wide.contains { $0.matches(one.description) } }
    }
}

extension CallerRecord {
    func isIn(_ group: UInt32) -> Bool { gid == group || groups.contains(group) }
}
