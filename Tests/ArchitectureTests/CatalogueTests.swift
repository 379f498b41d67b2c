// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

/// Every kind of journal entry has a paragraph for `journalctl -x`, and no paragraph is about nothing.
@Suite struct CatalogueTests {
    private let kinds = EventKind.all
    private let paragraphs: [(id: String, text: String)]

    init() throws { paragraphs = Self.paragraphs(try Repository.text("systemd/catalogue/menshen.catalog")) }

    @Test func `every kind that is declared is in the list of kinds`() throws {
        let folder = "Sources/MenshenCore/Events"
        let declared = try Repository.files(below: folder, ending: [".swift"]).flatMap { path in
            try Repository.text(path).split(separator: "EventKind(\n").dropFirst()
                .map { String($0.drop { $0 == " " }.dropFirst().prefix(32)) }
        }
        #expect(declared.sorted() == kinds.map(\.messageID).sorted())
    }

    @Test func `every event kind has exactly one paragraph`() {
        #expect(kinds.count >= 15)
        #expect(Set(kinds.map(\.messageID)).count == kinds.count)
        #expect(paragraphs.map(\.id).sorted() == kinds.map(\.messageID).sorted())
    }

    @Test func `message ids are 32 lower-case hexadecimal digits`() {
        for id in kinds.map(\.messageID) {
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
        for kind in kinds {
            let text = paragraphs.first { $0.id == kind.messageID }?.text ?? ""
            let named = text.split(separator: "@", omittingEmptySubsequences: false).filter { $0.hasPrefix("MENSHEN_") }
                .filter { $0.allSatisfy { $0.isUppercase || $0.isNumber || $0 == "_" } }
            #expect(Set(named.map(String.init)).isSubset(of: kind.fields), "\(kind.messageID)")
        }
    }

    @Test func `only known ids are quoted in the texts`() {
        let quoted = paragraphs.flatMap { paragraph in
            paragraph.text.split(separator: "MESSAGE_ID=").dropFirst().map { String($0.prefix(32)) }
        }
        #expect(!quoted.isEmpty)
        #expect(Set(quoted).isSubset(of: kinds.map(\.messageID)))
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
