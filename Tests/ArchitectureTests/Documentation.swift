// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

/// Documents say what the code does; where that can be compared, it is.
@Suite struct Documentation {
    private static let pages = "Sources/MenshenDaemon/MenshenDaemon.docc"

    static var markdown: [String] {
        ["README.md", "CHANGELOG.md", "Sources/README.md", ".github/CONTRIBUTING.md"]
            + Repository.files(below: pages, ending: [".md"]) + Repository.files(below: "contrib", ending: [".md"])
    }

    @Test func `the README's table of settings is the decoder's`() throws {
        let text = try Repository.text("README.md")
        let begin = try #require(text.firstRange(of: "<!-- settings: begin -->\n"))
        let end = try #require(text.firstRange(of: "<!-- settings: end -->"))
        let table = text[begin.upperBound..<end.lowerBound]
        #expect(table == ConfigurationReference.markdownTable, "paste what ConfigurationReference.markdownTable gives")
    }

    @Test func `the manual's table of metrics is the output's`() throws {
        let text = try Repository.text("contrib/manual/metrics.md")
        let begin = try #require(text.firstRange(of: "<!-- metrics: begin -->\n"))
        let end = try #require(text.firstRange(of: "<!-- metrics: end -->"))
        let table = text[begin.upperBound..<end.lowerBound]
        #expect(table == MetricReference.markdownTable, "paste what MetricReference.markdownTable gives")
    }

    @Test func `Sources README has one line for each target`() throws {
        let listed = try Repository.lines("Sources/README.md").compactMap { line -> String? in
            guard line.hasPrefix("| `") else { return nil }
            return String(line.dropFirst(3).prefix { $0 != "`" })
        }
        #expect(listed.sorted() == (try Repository.targets()).sorted())
    }

    @Test func `Sources README shows every folder`() throws {
        let text = try Repository.text("Sources/README.md")
        let begin = try #require(text.firstRange(of: "```text\n"))
        let end = try #require(text[begin.upperBound...].firstRange(of: "```"))
        var parents: [Substring] = []
        var shown: [String] = []
        for line in text[begin.upperBound..<end.lowerBound].split(separator: "\n") {
            let name = line.drop { $0 == " " }.prefix { $0 != "/" && $0 != " " }
            parents = parents.prefix(line.prefix { $0 == " " }.count / 2) + [name]
            shown.append(parents.joined(separator: "/"))
        }
        // Targets that own a library are flat, and are in the table.
        let folders = Set(
            Repository.files(below: "Sources").map { $0.split(separator: "/").dropFirst().dropLast() }
                .filter { $0.first?.lowercased().hasPrefix("menshen") == true }
                .flatMap { parts in (1...parts.count).map { parts.prefix($0).joined(separator: "/") } })
        #expect(shown.sorted() == folders.sorted())
    }

    @Test func `every page of the documentation is on its first page`() throws {
        let index = try Repository.text("\(Self.pages)/MenshenDaemon.md")
        let pages = Repository.files(below: Self.pages, ending: [".md"]).map {
            String($0.dropFirst(Self.pages.count + 1))
        }
        #expect(pages.count > 8)
        for page in pages where page != "MenshenDaemon.md" { #expect(index.contains("(\(page))"), "\(page)") }
    }

    @Test func `decisions are numbered without a gap and say context, choice and cost`() throws {
        let decisions = Repository.files(below: "\(Self.pages)/Decisions", ending: [".md"])
        for (index, path) in decisions.enumerated() {
            let name = path.split(separator: "/").last ?? ""
            let digits = String(index + 1)
            #expect(name.hasPrefix(String(repeating: "0", count: 4 - digits.count) + digits + "-"), "\(path)")
            let text = try Repository.text(path)
            for heading in ["## Context", "## Choice", "## Cost"] {
                #expect(text.contains(heading), "\(path): \(heading)")
            }
        }
    }

    @Test func `source files that pages name exist`() throws {
        let names = Set(
            Repository.files(below: "Sources", ending: [".swift"]).compactMap { $0.split(separator: "/").last })
        for path in Repository.files(below: Self.pages, ending: [".md"]) + ["Sources/README.md"] {
            for span in try Repository.text(path).split(separator: "`") where span.hasSuffix(".swift") {
                guard !span.contains("\n"), let name = span.split(separator: "/").last else { continue }
                #expect(names.contains(name) || Repository.exists(String(span)), "\(path): \(span)")
            }
        }
    }

    @Test func `tests that the threat model names exist`() throws {
        let all = try Repository.files(below: "Tests", ending: [".swift"]).map { try Repository.text($0) }.joined()
        var named = 0
        for line in try Repository.lines("\(Self.pages)/ThreatModel.md") where line.hasPrefix("- *") {
            let name = line.dropFirst(3).prefix { $0 != "*" }
            named += 1
            let isThere = all.contains("func `\(name)`")
            #expect(isThere, "\(name)")
        }
        #expect(named >= 20)
    }

    @Test func `the manual knows every command, flag and option`() throws {
        let manual = try Repository.text("contrib/manual/commands.md")
        let headings = manual.split(separator: "\n").filter { $0.hasPrefix("#") }
        for path in Repository.files(below: "Sources/menshen", ending: [".swift"]) {
            let lines = try Repository.lines(path)
            for (number, line) in lines.enumerated() {
                if let name = quoted(after: "commandName: \"", in: line) {
                    #expect(
                        headings.contains { $0.contains("menshen \(name)") || $0.contains(" \(name)") },
                        "\(path): \(name)")
                }
                let text = line.drop { $0 == " " }
                guard text.hasPrefix("@Option(") || text.hasPrefix("@Flag("), !text.contains(".hidden") else {
                    continue
                }
                let declaration = try #require(lines[(number + 1)...].first { $0.contains("var ") })
                let name = declaration.drop { $0 == " " }.dropFirst(4).prefix { $0.isLetter }
                #expect(manual.contains("`--\(dashed(name))"), "\(path): --\(dashed(name))")
            }
        }
    }

    @Test func `the change log names the version`() throws {
        let daemon = try Repository.text("Sources/MenshenDaemon/Version.swift")
        let version = try #require(
            daemon.split(separator: "\n").compactMap { quoted(after: "static let text = \"", in: $0) }.first)
        #expect(try Repository.text("CHANGELOG.md").contains("## \(version)"))
    }

    private func quoted(after start: String, in line: Substring) -> String? {
        line.firstRange(of: start).map { String(line[$0.upperBound...].prefix { $0 != "\"" }) }
    }

    /// "unsafeListen" is --unsafe-listen.
    private func dashed(_ name: Substring) -> String {
        name.map { $0.isUppercase ? "-\($0.lowercased())" : String($0) }.joined()
    }
}
