// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// What people type who know other tools, and what they mean by it here.
enum Hints {
    private static let words: [String: String] = [
        "version": "'menshen --version'", "-V": "'menshen --version'", "-v": "'menshen --version'",
        "log": "'menshen logs' for requests, and 'journalctl --user -u menshen.service' for what menshen says",
        "check": "'menshen config check'", "init": "'menshen config init'",
        "reload": "'systemctl --user reload menshen', or 'kill -HUP' of a menshen in the foreground",
        "start": "'systemctl --user start menshen.socket', or 'menshen serve' in the foreground",
        "stop": "'systemctl --user stop menshen.socket menshen.service'",
        "restart": "'systemctl --user restart menshen.service'",
        "keys": "'menshen key list'",
        "tokens": "'menshen token list'",
        "ui": "'menshen dashboard'",
    ]

    private static let commands: [String: [String]] = [
        "": [
            "serve", "status", "doctor", "top", "usage", "logs", "show", "statusline", "route", "policy", "token",
            "config",
            "key", "prices", "export", "audit", "dashboard", "demo", "help",
        ],
        "audit": ["verify", "head"],
        "config": ["check", "show", "init"],
        "key": ["set", "list", "test", "remove"],
        "policy": ["test"],
        "prices": ["list", "show", "check", "import", "set", "recompute", "cost"],
        "token": ["create", "list", "show", "edit", "revoke", "rotate"],
    ]

    /// For a command that there is not; nil: the parser has to say what is wrong, if anything is.
    static func hint(for arguments: [String]) -> String? {
        guard let first = arguments.first else { return nil }
        let isHelp = first == "help"
        let path = (isHelp ? Array(arguments.dropFirst()) : arguments).prefix {
            !$0.hasPrefix("-") || $0 == "-V" || $0 == "-v"
        }
        guard let word = path.first else { return nil }
        if commands["", default: []].contains(word) {
            guard let second = path.dropFirst().first, let known = commands[word], !known.contains(second),
                isHelp || NearName.of(second, among: known) != nil
            else { return nil }
            return unknown("\(word) \(second)", NearName.of(second, among: known).map { "'menshen \(word) \($0)'" })
        }
        let meant = words[word] ?? NearName.of(word, among: commands["", default: []]).map { "'menshen \($0)'" }
        return meant != nil || isHelp ? unknown(word, meant) : nil
    }

    private static func unknown(_ word: String, _ meant: String?) -> String {
        "menshen: there is no command '\(word)'." + (meant.map { " You may mean \($0)." } ?? "")
            + "\nUsage: menshen <command>; 'menshen --help' lists the commands."
    }
}
