// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
package import MenshenCore
internal import MenshenStore

/// Finds what a token may do by its name, for commands.
package enum TokenLookup {
    /// In the configuration, else at the menshen that runs there, else in the file that one would read.
    package static func find(
        _ name: String, _ configuration: Configuration, socket: String?, accessFile: String
    ) throws(StoreFault) -> TokenKnowledge {
        if configuration.authentication.tokens.contains(where: { $0.name == name }) {
            return TokenKnowledge(configured: name)
        }
        let now = Int64(Clock.wall() / 1_000_000)
        var given = socket.flatMap { asked(name, socket: $0) }
        if given == nil { given = try read(name, accessFile) }
        guard let given else { return TokenKnowledge(unknown: name) }
        return TokenKnowledge(given, now: now, problem: problem(given, now))
    }

    /// nil: nobody answers there, or it knows no such token.
    private static func asked(_ name: String, socket: String) -> GivenToken? {
        let path = "\(AdminPage.tokens.paths[0])?name=\(AdminClient.escaped(name))"
        let answer = try? AdminClient.ask(socket: socket, "GET", path, as: "application/json")
        return answer.flatMap { GivenToken($0) }
    }

    private static func read(_ name: String, _ file: String) throws(StoreFault) -> GivenToken? {
        let named = try AccessStore.tokens(in: file).filter { $0.name == name }
        return named.first { $0.revokedAt == nil } ?? named.first
    }

    private static func problem(_ given: GivenToken, _ now: Int64) -> Problem? {
        switch given.state(now: now) {
        case "revoked": .refused(.revoked(given.name))
        case "expired": .refused(.expired(given.name))
        case "valid": nil
        default: .refused(.unreadable)
        }
    }
}

extension GivenToken {
    /// Of the page that `TokenReport.json` makes of one; nil for anything else.
    init?(_ page: [UInt8]) {
        guard let members = FlatObject(page)?.members else { return nil }
        func text(_ name: String) -> String? {
            guard case .text(let text) = members.first(where: { $0.name == name })?.value else { return nil }
            return text
        }
        func list(_ name: String) -> [String]? {
            guard case .list(let texts) = members.first(where: { $0.name == name })?.value else { return nil }
            return texts
        }
        func number(_ name: String) -> Int64? { text(name).flatMap { Int64($0) } }
        guard let id = number("id"), let name = text("name"), let created = number("created"),
            let providers = list("providers"), let models = list("models"), let operations = list("operations"),
            let paths = list("paths"), let limits = list("limits")
        else { return nil }
        var terms = TokenTerms()
        terms.providers = providers
        terms.models = models
        terms.operations = operations
        terms.paths = paths
        terms.limits = limits
        terms.concurrency = number("concurrency").map { Int($0) }
        terms.maxErrors = number("max_errors").map { Int($0) }
        terms.expires = number("expires")
        self.init(
            id: id, name: name, created: created, createdBy: text("created_by") ?? "",
            revokedAt: number("revoked_at"), terms: terms, graceUntil: number("grace_until"))
    }
}
