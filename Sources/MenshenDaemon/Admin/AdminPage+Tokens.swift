// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore
internal import MenshenStore

/// The tokens that are given out: for GET all of them or the one that `name` names, as JSON or as the text that commands print;
/// POST does one thing to one of them, see `TokenAct`.
extension AdminPage {
    static let tokens = AdminPage(
        "/_menshen/admin/tokens", access: .administrators,
        [
            Action(.get) { (caller, _) throws(Problem) in
                let name = caller.query("name")
                if let name { try TokenAct.check(name) }
                let hasAll = caller.query("all") == "true"
                let isText = caller.head.accepts("text/plain")
                let width = caller.query("width").flatMap { Int($0) }
                let configured = caller.configuredTokens
                caller.withTokens { (all) throws(Problem) in
                    let now = Int64(Clock.wall() / 1_000_000)
                    if let name {
                        let given = try TokenReport.find(name, in: all, configured: configured)
                        return answer(200, isText ? TokenReport.text(given, now) : TokenReport.json(given, now), isText)
                    }
                    let shown = hasAll ? all : all.filter { $0.revokedAt == nil }
                    return answer(
                        200,
                        isText
                            ? TokenReport.table(shown, configured, now, width: width)
                            : TokenReport.json(shown, configured, now), isText)
                }
            },
            Action(.post, bodyLimit: 16 << 10) { (caller, body) throws(Problem) in
                let act = try TokenAct(body, now: Int64(Clock.wall() / 1_000_000))
                try caller.perform(act) { outcome in
                    answer(
                        outcome.secret == nil ? 200 : 201, TokenReport.json(outcome, Int64(Clock.wall() / 1_000_000)),
                        false)
                }
            },
        ])

    private static func answer(_ status: Int, _ body: [UInt8], _ isText: Bool) -> LocalAnswer {
        LocalAnswer(
            status: status,
            fields: [
                ("Content-Type", isText ? "text/plain; charset=utf-8" : "application/json"),
                ("Cache-Control", "no-store"),
            ], body: body)
    }
}

/// What is said of tokens that were given out.
enum TokenReport {
    /// The one in use, or else the last that was revoked.
    static func find(_ name: String, in all: [GivenToken], configured: [String]) throws(Problem) -> GivenToken {
        let named = all.filter { $0.name == name }
        if let given = named.first(where: { $0.revokedAt == nil }) ?? named.first { return given }
        if configured.contains(name) {
            throw .token(
                "Token '\(name)' stands in [auth] of the configuration; 'menshen config show' shows it.", status: 404)
        }
        let meant = NearName.of(name, among: all.map(\.name)).map { " You may mean '\($0)'." } ?? ""
        throw .token("There is no token '\(name)'.\(meant) See 'menshen token list'.", status: 404)
    }

    // MARK: Text

    static func text(_ given: GivenToken, _ now: Int64) -> [UInt8] {
        let terms = given.terms
        func all(_ texts: [String], _ otherwise: String = "any") -> String {
            texts.isEmpty ? otherwise : texts.joined(separator: ", ")
        }
        var rows = [
            ["name", given.name], ["state", given.state(now: now)],
            ["made", "\(ExpiryText.written(given.created)) by \(given.createdBy)"],
            ["expires", terms.expires.map(ExpiryText.written) ?? "never"],
            ["providers", all(terms.providers)], ["models", all(terms.models)],
            ["operations", all(terms.operations)], ["paths", all(terms.paths)], ["limits", all(terms.limits, "none")],
        ]
        if let count = terms.concurrency { rows.append(["concurrency", "\(count)"]) }
        if let count = terms.maxErrors { rows.append(["max errors", "\(count) in a row"]) }
        if let note = terms.note { rows.append(["note", note]) }
        if let time = given.revokedAt { rows.append(["revoked", ExpiryText.written(time)]) }
        if let time = given.graceUntil, time > now {
            rows.append(["rotated", "the token before it counts until \(ExpiryText.written(time))"])
        }
        return Array((TextTable.lines(rows).joined(separator: "\n") + "\n").utf8)
    }

    /// No line is wider than the terminal.
    static func table(_ all: [GivenToken], _ configured: [String], _ now: Int64, width: Int?) -> [UInt8] {
        if all.isEmpty, configured.isEmpty {
            return Array("There are no tokens. 'menshen token create NAME' gives one out.\n".utf8)
        }
        let rows =
            [["NAME", "STATE", "MADE", "MAY", "NOTE"]]
            + configured.map { [$0, "configured", "-", "no limits", "in [auth] of the configuration"] }
            + all.map {
                [
                    $0.name, $0.state(now: now), String(ExpiryText.written($0.created).prefix(10)), $0.terms.words,
                    $0.terms.note ?? "",
                ]
            }
        let lines = TextTable.lines(rows).map { line in
            guard let width, width > 1, line.count > width else { return line }
            return line.prefix(width - 1) + "…"
        }
        return Array((lines.joined(separator: "\n") + "\n").utf8)
    }

    // MARK: JSON

    static func json(_ given: GivenToken, _ now: Int64) -> [UInt8] { object(given, now) + [10] }

    static func json(_ all: [GivenToken], _ configured: [String], _ now: Int64) -> [UInt8] {
        var output = Array(#"{"tokens":["#.utf8)
        output += all.map { object($0, now) }.joined(separator: [UInt8(ascii: ",")])
        output += Array(#"],"configured":"#.utf8)
        output.append(json: configured)
        return output + Array("}\n".utf8)
    }

    /// With the token itself, where there is a new one.
    static func json(_ outcome: TokenOutcome, _ now: Int64) -> [UInt8] {
        var output = Array("{".utf8)
        if let secret = outcome.secret {
            output += Array(#""token":""#.utf8)
            // Letters, digits and an underscore.
            secret.append(to: &output)
            output += Array(#"","#.utf8)
        }
        output += Array(#""summary":"#.utf8)
        output.append(json: outcome.token?.terms.words ?? "")
        output += Array(#","record":"#.utf8)
        output += outcome.token.map { object($0, now) } ?? Array("null".utf8)
        return output + Array("}\n".utf8)
    }

    private static func object(_ given: GivenToken, _ now: Int64) -> [UInt8] {
        let terms = given.terms
        var output = Array("{\"id\":\(given.id)".utf8)
        func add(_ name: String, _ text: String?) {
            output += Array(",\"\(name)\":".utf8)
            if let text { output.append(json: text) } else { output += Array("null".utf8) }
        }
        func add(_ name: String, _ texts: [String]) {
            output += Array(",\"\(name)\":".utf8)
            output.append(json: texts)
        }
        func add(_ name: String, _ number: Int64?) {
            output += Array(",\"\(name)\":\(number.map { "\($0)" } ?? "null")".utf8)
        }
        add("name", given.name)
        add("state", given.state(now: now))
        add("created", given.created)
        add("created_by", given.createdBy)
        add("expires", terms.expires)
        add("revoked_at", given.revokedAt)
        add("grace_until", given.graceUntil)
        add("providers", terms.providers)
        add("models", terms.models)
        add("operations", terms.operations)
        add("paths", terms.paths)
        add("limits", terms.limits)
        add("concurrency", terms.concurrency.map { Int64($0) })
        add("max_errors", terms.maxErrors.map { Int64($0) })
        add("note", terms.note)
        return output + Array("}".utf8)
    }
}
