// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// The words of the article and of ai-menshen: one dash, no subcommand.
enum ArticleForms {
    /// Arguments as the parser knows them. Anything that is not one of those forms is left alone.
    static func translate(_ arguments: [String]) -> [String] {
        guard let first = arguments.first, first.hasPrefix("-") else { return arguments }
        let words = arguments.map { word in
            switch word.split(separator: "=", maxSplits: 1).first {
            case "-config", "-listen", "-gen-config", "-version", "-help": "-" + word
            default: word
            }
        }
        if words.contains("--gen-config") { return ["config", "init", "--print"] }
        let isServe = words.contains { $0.hasPrefix("--config") || $0.hasPrefix("--listen") }
        guard isServe else { return words }
        // Go's flag replaces the file's address; ours adds one.
        return ["serve", "--only-listen"] + words
    }
}
