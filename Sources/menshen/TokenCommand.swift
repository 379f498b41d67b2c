// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import Linux
internal import MenshenCore
internal import MenshenDaemon

struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Give out proxy tokens, change them and take them away.",
        discussion: """
            The running menshen does it, over its Unix socket, for its own user and for root.
            A token is printed once, alone on stdout: TOKEN=$(menshen token create ci)
            """,
        subcommands: [
            TokenCreate.self, TokenList.self, TokenShow.self, TokenEdit.self, TokenRevoke.self, TokenRotate.self,
        ])
}

/// What a token may do, as flags. A list that is given takes the place of the whole list.
struct TokenFlags: ParsableArguments {
    @Option(name: .long, help: "A provider that it may use, by its name in the configuration; repeatable.")
    var provider: [String] = []

    @Option(name: .long, help: "A model that it may ask for, such as 'gpt-*'; repeatable.")
    var model: [String] = []

    @Option(name: .long, help: "A path that it may ask for, such as '/v1/chat/*'; repeatable.")
    var path: [String] = []

    @Option(name: .long, help: "An operation that it may ask for, such as chat or embeddings; repeatable.")
    var operation: [String] = []

    @Option(name: .long, help: "When it ends: 30d, 12h, 2026-12-31, 2026-12-31T18:00:00Z (UTC).")
    var expires: String?

    @Option(name: .long, help: "What it may spend: 5usd/day, 50usd, '20usd/30d rolling'; repeatable.")
    var budget: [String] = []

    @Option(name: .long, help: "Requests altogether, or in a time: 1000, 1000/day.")
    var requests: [String] = []

    @Option(name: .long, help: "Requests a minute.")
    var rpm: Int?

    @Option(name: .long, help: "Tokens of models a minute, in and out.")
    var tpm: Int?

    @Option(name: .long, help: "Requests at the same time.")
    var concurrency: Int?

    @Option(name: .long, help: "Errors one after the other, after which it is refused.")
    var maxErrors: Int?

    @Option(name: .long, help: "A remark for people.")
    var note: String?

    private var limits: [String] {
        budget
            + requests.map { text in
                let parts = text.split(separator: "/", maxSplits: 1)
                return parts.count == 2 ? "\(parts[0])requests/\(parts[1])" : "\(text)requests"
            }
            + [rpm.map { "\($0)requests/minute" }, tpm.map { "\($0)tokens/minute" }].compactMap { $0 }
    }

    /// Members of the request's body for what was given.
    func write(to body: inout AdminBody) {
        for (name, texts) in [
            ("providers", provider), ("models", model), ("paths", path), ("operations", operation), ("limits", limits),
        ] where !texts.isEmpty { body.add(name, texts) }
        for (name, text) in [
            ("expires", expires), ("concurrency", concurrency.map { "\($0)" }),
            ("max_errors", maxErrors.map { "\($0)" }), ("note", note),
        ] { if let text { body.add(name, text) } }
    }
}

/// What the commands about one token have in common.
struct TokenTarget: ParsableArguments {
    @Argument(help: "The token's name.")
    var name: String

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    @OptionGroup var running: RunningMenshen

    /// Has it done; returns the new token, if there is one, and what it may do.
    func perform(_ act: String, _ write: (inout AdminBody) -> Void) throws -> (token: String?, summary: String) {
        var body = AdminBody()
        body.add("act", act)
        body.add("name", name)
        write(&body)
        let answer = try running.ask {
            try AdminClient.ask(socket: $0, "POST", AdminClient.tokens, as: "application/json", body: body.bytes)
        }
        let texts = AdminClient.texts(answer, JSONPaths(["token", "summary"]), count: 2, limit: 64 << 10)
        if json {
            Terminal.write(String(decoding: answer, as: UTF8.self))
        } else if let token = texts[0] {
            Terminal.print(token)
        }
        return (texts[0], texts[1] ?? "")
    }

    /// For a person; where the output is JSON, that says it.
    func explain(_ text: String) { if !json { Terminal.error(text) } }
}

struct TokenCreate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Give out a token. It is printed once and stored nowhere.")

    @OptionGroup var target: TokenTarget
    @OptionGroup var flags: TokenFlags

    func run() throws {
        let made = try target.perform("create") { flags.write(to: &$0) }
        target.explain(
            """
            Token '\(target.name)': \(made.summary). This is the only time that it is shown.
            Send it where your SDK puts its API key. To take it away: menshen token revoke \(target.name)
            """)
    }
}

struct TokenRotate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate", abstract: "Give out another token in the place of one, with the same name and limits.")

    @OptionGroup var target: TokenTarget

    @Option(name: .long, help: "How long the old one counts as well: 1h (default: not at all).")
    var grace: String?

    func run() throws {
        _ = try target.perform("rotate") { body in if let grace { body.add("grace", grace) } }
        target.explain(
            "Token '\(target.name)' was replaced. "
                + (grace.map { "The old one counts for another \($0)." } ?? "The old one counts no more."))
    }
}

struct TokenEdit: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edit", abstract: "Change what a token may do. What is not named stays as it is.",
        discussion: "A list takes the place of the whole list; --budget, --requests, --rpm and --tpm are one list.")

    @OptionGroup var target: TokenTarget
    @OptionGroup var flags: TokenFlags

    @Option(
        name: .long,
        help:
            "Takes a term away: provider, model, path, operation, limits, expires, concurrency, max-errors or note; repeatable."
    )
    var clear: [String] = []

    private static let lists = [
        "provider": "providers", "model": "models", "path": "paths", "operation": "operations", "limits": "limits",
    ]
    private static let texts = [
        "expires": "expires", "concurrency": "concurrency", "max-errors": "max_errors", "note": "note",
    ]

    func validate() throws {
        if let unknown = clear.first(where: { Self.lists[$0] == nil && Self.texts[$0] == nil }) {
            let known = (Self.lists.keys.sorted() + Self.texts.keys.sorted()).joined(separator: ", ")
            throw ValidationError("--clear does not know '\(unknown)'; it takes \(known).")
        }
    }

    func run() throws {
        let edited = try target.perform("edit") { body in
            flags.write(to: &body)
            for term in clear {
                if let list = Self.lists[term] { body.add(list, [String]()) }
                if let text = Self.texts[term] { body.add(text, "") }
            }
        }
        target.explain("Token '\(target.name)': \(edited.summary). That holds from the next request on.")
    }
}

struct TokenRevoke: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Take a token away for good, from the next request on.")

    @OptionGroup var target: TokenTarget

    @Flag(name: .long, help: "End what is under way with it as well.")
    var now = false

    func run() throws {
        _ = try target.perform("revoke") { body in if now { body.add("now", "true") } }
        target.explain(
            "Token '\(target.name)' is revoked: every request that shows it from now on is refused."
                + (now ? " What was under way with it has ended." : " What is under way with it runs to its end."))
    }
}

struct TokenList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the tokens that are given out, and those of the configuration.")

    @Flag(name: .long, help: "Also those that were revoked.")
    var all = false

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    @OptionGroup var running: RunningMenshen

    func run() throws {
        let width = StandardStream.output.columns.map { "&width=\($0)" } ?? ""
        let answer = try running.ask {
            try AdminClient.ask(
                socket: $0, "GET", "\(AdminClient.tokens)?all=\(all)\(width)",
                as: json ? "application/json" : "text/plain")
        }
        Terminal.write(String(decoding: answer, as: UTF8.self))
    }
}

struct TokenShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show what a token may do; the token itself is stored nowhere.")

    @OptionGroup var target: TokenTarget

    func run() throws {
        let answer = try target.running.ask {
            try AdminClient.ask(
                socket: $0, "GET", "\(AdminClient.tokens)?name=\(AdminClient.escaped(target.name))",
                as: target.json ? "application/json" : "text/plain")
        }
        Terminal.write(String(decoding: answer, as: UTF8.self))
    }
}
