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
        case user, group, token, unit, program, job, project
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
    /// Of job and step, or of the job alone if there is no point in the pattern.
    package var jobs: [ModelPattern] = []
    /// Of the root of the repository that the caller works in, as `programs`.
    package var projects: [ModelPattern] = []

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
        if !programs.isEmpty, !Self.match(programs, lastPartOf: caller.executable) { return .program }
        if !jobs.isEmpty, !matches(job: caller.job) { return .job }
        // The last: what is not known yet may still match.
        if !projects.isEmpty, caller.isProjectKnown, !Self.match(projects, lastPartOf: caller.project?.text) {
            return .project
        }
        return nil
    }

    /// Only its project says whether the rule is for this caller, whom the other matchers match, and that is not known.
    package func isUndecided(_ caller: CallerRecord) -> Bool { !projects.isEmpty && !caller.isProjectKnown }

    private static func match(_ patterns: [ModelPattern], _ text: String?) -> Bool {
        guard let text else { return false }
        return patterns.contains { $0.matches(text) }
    }

    private static func match(_ patterns: [ModelPattern], lastPartOf path: String?) -> Bool {
        guard let path else { return false }
        let name = path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
        return patterns.contains { $0.matches($0.description.contains("/") ? path : name) }
    }

    private func matches(job: String?) -> Bool {
        guard let job else { return false }
        let number = String(job.prefix { $0 != "." })
        return jobs.contains { $0.matches($0.description.contains(".") ? job : number) }
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
            && Self.cover(units, other.units) && Self.coverInForms(programs, other.programs)
            && Self.coverInForms(jobs, other.jobs) && Self.coverInForms(projects, other.projects)
    }

    /// Patterns that are held against a part or against the whole, by their form: only the same one, or one that matches all,
    /// covers another for certain.
    private static func coverInForms(_ wide: [ModelPattern], _ narrow: [ModelPattern]) -> Bool {
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

    /// It has been found, or there is none.
    var isProjectKnown: Bool { project?.standing ?? .known == .known }
}
