// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Testing

/// Every kind of journal entry has a paragraph for `journalctl -x`, and no paragraph is about nothing.
@Suite struct CatalogueTests {
    private let kinds: [String: String]
    private let fields: [String: [String]]
    private let paragraphs: [(id: String, text: String)]

    init() throws {
        let source = try Repository.text("Sources/MenshenCore/Audit/EventKind.swift")
        kinds = Self.kinds(source)
        fields = Self.fields(source)
        paragraphs = Self.paragraphs(try Repository.text("systemd/catalogue/menshen.catalog"))
    }

    @Test func `every event kind has exactly one paragraph`() {
        #expect(kinds.count >= 15)
        #expect(Set(kinds.values).count == kinds.count)
        #expect(paragraphs.map(\.id).sorted() == kinds.values.sorted())
    }

    @Test func `message ids are 32 lower-case hexadecimal digits`() {
        for id in kinds.values {
            #expect(id.count == 32 && id.allSatisfy { $0.isHexDigit && !$0.isUppercase }, "\(id)")
        }
    }

    @Test func `each paragraph has a subject, its author and a text`() {
        for (id, text) in paragraphs {
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            #expect(lines.first?.hasPrefix("Subject: ") == true, "\(id)")
            #expect(lines.contains("Defined-By: menshen"), "\(id)")
            #expect(lines.contains { $0.hasPrefix("Documentation: file:/usr/share/doc/menshen/") }, "\(id)")
            let body = lines.firstIndex(of: "").map { lines[$0...] } ?? []
            #expect(body.contains { !$0.isEmpty }, "\(id)")
        }
    }

    @Test func `a paragraph names only fields that its entries carry`() {
        for (name, id) in kinds {
            let text = paragraphs.first { $0.id == id }?.text ?? ""
            let named = text.split(separator: "@", omittingEmptySubsequences: false).filter { $0.hasPrefix("MENSHEN_") }
                .filter { $0.allSatisfy { $0.isUppercase || $0.isNumber || $0 == "_" } }
            #expect(Set(named.map(String.init)).isSubset(of: fields[name] ?? []), "\(name)")
        }
    }

    @Test func `only known ids are quoted in the texts`() {
        let quoted = paragraphs.flatMap { paragraph in
            paragraph.text.split(separator: "MESSAGE_ID=").dropFirst().map { String($0.prefix(32)) }
        }
        #expect(!quoted.isEmpty)
        #expect(Set(quoted).isSubset(of: Set(kinds.values)))
    }

    /// `case name = "id"` lines.
    private static func kinds(_ source: String) -> [String: String] {
        var found: [String: String] = [:]
        for line in source.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 4, words[0] == "case", words[2] == "=", words[3].hasPrefix("\"") else { continue }
            found[String(words[1])] = String(words[3].dropFirst().dropLast())
        }
        return found
    }

    /// `case .name, .other: ["FIELD", …]` lines.
    private static func fields(_ source: String) -> [String: [String]] {
        var found: [String: [String]] = [:]
        for line in source.split(separator: "\n") {
            let parts = line.split(separator: ": [", maxSplits: 1)
            guard parts.count == 2, parts[0].contains("case .") else { continue }
            let names = parts[1].split(separator: "\"").filter { $0.hasPrefix("MENSHEN_") }.map(String.init)
            for label in parts[0].split(whereSeparator: { " ,.".contains($0) }).dropFirst() {
                found[String(label)] = names
            }
        }
        return found
    }

    private static func paragraphs(_ text: String) -> [(id: String, text: String)] {
        var found: [(id: String, text: String)] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("-- ") {
                found.append((String(line.dropFirst(3)), ""))
            } else if !found.isEmpty {
                found[found.count - 1].text += line + "\n"
            }
        }
        return found
    }
}
