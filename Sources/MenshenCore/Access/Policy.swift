// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// All rules of `[[callers]]`, so that the first that matches is found without looking at each.
package struct Policy: Sendable {
    package let rules: [CallerRule]
    /// Places in `rules`, ascending. Each rule stands under what tells most callers apart: its users, else the tokens that it
    /// names in full, else its groups, else nothing.
    private var byUser: [UInt32: [Int]] = [:]
    private var byToken: [String: [Int]] = [:]
    private var byGroup: [UInt32: [Int]] = [:]
    private var others: [Int] = []
    /// Some rule goes by the caller's project.
    package let readsProjects: Bool

    package init(_ rules: [CallerRule]) {
        self.rules = rules
        readsProjects = rules.contains { !$0.projects.isEmpty }
        for (index, rule) in rules.enumerated() {
            if !rule.users.isEmpty {
                for id in Set(rule.users.compactMap(\.id)) { byUser[id, default: []].append(index) }
            } else if !rule.tokens.isEmpty, rule.tokens.allSatisfy({ !$0.hasWildcard }) {
                for name in Set(rule.tokens.map(\.description)) { byToken[name, default: []].append(index) }
            } else if !rule.groups.isEmpty {
                for id in Set(rule.groups.compactMap(\.id)) { byGroup[id, default: []].append(index) }
            } else {
                others.append(index)
            }
        }
    }

    package var isEmpty: Bool { rules.isEmpty }

    /// The first rule that is for this caller with that token, or would be with the right project.
    package func first(for caller: CallerRecord, token: String?) -> CallerRule? {
        var found = rules.count
        func look(_ places: [Int]?) {
            guard let places else { return }
            for index in places {
                if index >= found { return }
                if rules[index].mismatch(caller, token: token) == nil { found = index }
            }
        }
        if let uid = caller.uid { look(byUser[uid]) }
        if let token { look(byToken[token]) }
        if !byGroup.isEmpty {
            if let gid = caller.gid { look(byGroup[gid]) }
            for group in caller.groups { look(byGroup[group]) }
        }
        look(others)
        return found < rules.count ? rules[found] : nil
    }

    /// What a principal may do.
    package func permit(for principal: Principal) -> Permit {
        let token = principal.token
        if isEmpty, token?.scope.isAll ?? true { return .everything }
        guard !isEmpty else { return Permit(rule: nil, token: token) }
        let caller = principal.caller
        guard let rule = first(for: caller, token: token?.name) else { return Permit(unlisted: principal) }
        if rule.isUndecided(caller) { return Permit(undecided: rule, caller) }
        // On a Unix socket the user is known, and a token never gives it more than it has without.
        guard caller.uid != nil, token != nil else { return Permit(rule: rule, token: token) }
        guard let own = first(for: caller, token: nil) else { return Permit(unlisted: Principal(caller)) }
        if own.isUndecided(caller) { return Permit(undecided: own, caller) }
        return Permit(rule: rule, own: own == rule ? nil : own, token: token)
    }
}
