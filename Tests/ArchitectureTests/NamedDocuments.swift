// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Testing

/// Words of the sources do not send a reader to a document that is not here.
@Suite struct NamedDocuments {
    private static let pages = Set(
        (Repository.files(below: "Sources", ending: [".md"]) + Repository.files(below: "Tests", ending: [".md"])
            + Repository.files(below: "contrib", ending: [".md"]) + [
                "README.md", "CHANGELOG.md", ".github/CONTRIBUTING.md",
            ]).flatMap {
                [$0, String($0.split(separator: "/").last ?? "")]
            })

    @Test func `comments and strings name only documents of the repository`() throws {
        for path in Repository.files(below: "Sources", ending: [".swift"])
            + Repository.files(below: "Tests", ending: [".swift"])
        {
            for words in SwiftText(try Repository.text(path)).words {
                let unknown = Self.unknownDocuments(words.text)
                #expect(unknown.isEmpty, "\(path):\(words.line) names \(unknown.joined(separator: ", "))")
            }
        }
    }

    @Test func `so do scripts, units and C sources`() throws {
        let paths =
            Repository.files(below: "Sources", ending: [".c", ".cpp", ".h"]) + Repository.files(below: "systemd")
            + Repository.files(below: "contrib", ending: ["test", "try", "run", ".sh", ".py", ".c", ".h"])
            + Repository.files(below: "Tests", ending: ["run", "boot", "try", ".py"])
        #expect(paths.count > 50)
        for path in paths {
            // Paragraph by paragraph, as a comment is read.
            for text in try Repository.text(path).split(separator: "\n\n") {
                let unknown = Self.unknownDocuments(String(text))
                #expect(unknown.isEmpty, "\(path) names \(unknown.joined(separator: ", "))")
            }
        }
    }

    @Test func `pages, standards and what only looks like them are told apart`() {
        // In two parts, or this file would break its own law.
        let sign = "\u{A7}"
        for known in [
            "see database.md", "contrib/manual/routing.md", "RFC 9110 \(sign)5.6", "a name.mdx", ".md", "*.md",
        ] {
            #expect(Self.unknownDocuments(known) == [], "\(known)")
        }
        #expect(
            Self.unknownDocuments("as wire" + ".md and (design" + ".md) say") == ["wire" + ".md", "design" + ".md"])
        #expect(Self.unknownDocuments("notes/README" + ".md.") == ["notes/README" + ".md"])
        #expect(Self.unknownDocuments("the facts, \(sign)5") == [sign])
        #expect(Self.unknownDocuments("the facts, sec" + "tion 2") == ["sec" + "tion 2"])
        #expect(Self.unknownDocuments("wi" + "re facts") == ["wi" + "re facts"])
    }

    /// Markdown files that are not here, and paragraphs of no standard.
    private static func unknownDocuments(_ text: String) -> [String] {
        // Most words say nothing of the kind, and splitting all of them takes seconds.
        guard [".md", "\u{A7}", "section ", " facts"].contains(where: { text.contains($0) }) else { return [] }
        var unknown: [String] = []
        for span in text.split(whereSeparator: { !isOfPath($0) }) {
            var path = span
            while path.last == "." { path.removeLast() }
            while path.hasPrefix("../") { path = path.dropFirst(3) }
            guard path.hasSuffix(".md"), path.count > 3 else { continue }
            // Installed, they are all in one folder. Behind code in a string a slash is first.
            for prefix in ["/usr/share/doc/menshen/", "/"] where path.hasPrefix(prefix) {
                path = path.dropFirst(prefix.count)
            }
            if !pages.contains(String(path)) { unknown.append(String(path)) }
        }
        guard !text.contains("RFC ") else { return unknown }
        if text.contains("\u{A7}") { unknown.append("\u{A7}") }
        let words = text.split { $0 == " " || $0 == "\n" || $0 == "/" }
        for (word, next) in zip(words, words.dropFirst()) where next.first?.isNumber == true && word == "section" {
            unknown.append("\(word) \(next.prefix { $0.isNumber })")
        }
        let notes = "wi" + "re facts"
        if text.contains(notes) { unknown.append(notes) }
        return unknown
    }

    private static func isOfPath(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || character == "_" || character == "-" || character == "/"
            || character == "."
    }
}
