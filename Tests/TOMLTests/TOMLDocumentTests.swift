// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TOML
import Testing

@Suite struct TOMLDocumentTests {
    private func failure(_ text: String) -> TOMLError? {
        do {
            _ = try TOMLDocument.parse(text)
            return nil
        } catch { return error }
    }

    @Test func `every kind of value arrives with the place of its key and its value`() throws {
        let table = try TOMLDocument.parse(
            """
            text = "a\\tb"
            number = -7
              real = 2.5
            flag = true
            day = 2026-11-23
            moment = 2026-11-23T07:03:59.5+02:00
            noon = 12:00:00
            list = [1, [2]]
            inline = { x = 1 }
            [section]
            a.b = 1
            [[rows]]
            [[rows]]
            """)
        #expect(table["text"] == .string("a\tb"))
        #expect(table["number"] == .integer(-7))
        #expect(table["real"] == .float(2.5))
        #expect(table["flag"] == .boolean(true))
        #expect(table["day"] == .dateTime("2026-11-23"))
        #expect(table["moment"] == .dateTime("2026-11-23T07:03:59.500000000+02:00"))
        #expect(table["noon"] == .dateTime("12:00:00"))
        let real = try #require(table.entry("real"))
        #expect(real.keySpan == SourceSpan(line: 3, column: 3))
        #expect(real.item.span == SourceSpan(line: 3, column: 10))
        guard case .array(let list) = table["list"] else { Issue.record("no array"); return }
        #expect(list.map(\.span) == [SourceSpan(line: 8, column: 9), SourceSpan(line: 8, column: 12)])
        guard case .table(let section) = table["section"], case .table(let dotted) = section["a"] else {
            Issue.record("no table")
            return
        }
        #expect(table.entry("section")?.keySpan == SourceSpan(line: 10, column: 2))
        #expect(dotted.entry("b")?.keySpan == SourceSpan(line: 11, column: 3))
        guard case .array(let rows) = table["rows"] else { Issue.record("no rows"); return }
        #expect(rows.map(\.span.line) == [12, 13])
        #expect(table.entries.map(\.key).prefix(3) == ["text", "number", "real"], "entries keep the text's order")
    }

    @Test func `a byte order mark, CRLF and an empty text are fine`() throws {
        #expect(try TOMLDocument.parse([]).entries.isEmpty)
        #expect(try TOMLDocument.parse("").entries.isEmpty)
        #expect(try TOMLDocument.parse(" \r\n# only a comment").entries.isEmpty)
        #expect(try TOMLDocument.parse([0xEF, 0xBB, 0xBF]).entries.isEmpty)
        let bytes = [0xEF, 0xBB, 0xBF] + Array("a = 1\r\nb = \"x\"\r\n".utf8)
        let table = try TOMLDocument.parse(bytes)
        #expect(table["b"] == .string("x"))
        #expect(table.entry("a")?.keySpan == SourceSpan(line: 1, column: 1))
        #expect(table.entry("b")?.keySpan == SourceSpan(line: 2, column: 1))
    }

    @Test func `columns count scalars, not bytes`() throws {
        let table = try TOMLDocument.parse("\"门神\" = \"门\"")
        #expect(table.entries.first?.key == "门神")
        #expect(table.entries.first?.item.span == SourceSpan(line: 1, column: 8))
    }

    @Test(arguments: [
        ("a = ", 1, 4), ("a = 1\nb", 2, 2), ("a = 1\na = 2", 2, 6), ("a = \"x\u{0}y\"", 1, 7), ("\u{0}", 1, 1),
        ("[a\n", 1, 3), ("a = [1,\n\n", 2, 1), ("a = \"unclosed", 1, 14), ("a = 'x\n'", 1, 8),
    ])
    func `a syntax error has a place`(text: String, line: Int, column: Int) throws {
        let fault = try #require(failure(text))
        #expect(fault.span.line == line)
        #expect(abs(fault.span.column - column) <= 1, "\(fault)")
        #expect(!fault.message.isEmpty)
        #expect(!fault.message.contains("Error while parsing"))
    }

    @Test(
        arguments: [
            [0xFF, 0xFE], Array("a = \"".utf8) + [0xC3, 0x28] + Array("\"".utf8),
            [0x61, 0x3D, 0x31, 0x0A, 0xED, 0xA0, 0x80],
            Array("a = 1 # ".utf8) + [0xF8], [0xC3],
        ] as [[UInt8]])
    func `invalid UTF-8 is an error`(bytes: [UInt8]) {
        #expect(throws: TOMLError.self) { try TOMLDocument.parse(bytes) }
    }

    @Test(arguments: ["[", "{", "a=[", "a={a=", "a=[{a=", "a.", "[a.", "a.a={a.a=[", "\"a\".", "'a'. "])
    func `hostile nesting is refused and overflows no stack`(piece: String) {
        let text = String(repeating: piece, count: 100_000)
        #expect(failure(text) != nil)
        #expect(failure("a = " + text) != nil)
        #expect(failure("x = [\n" + String(repeating: piece + "\n", count: 100_000)) != nil)
    }

    /// toml++ 3.3 has undefined behaviour for these without what CTOML does about it.
    @Test(arguments: ["é = 1", "[é]", "ld\u{FEFF}", "a = 1 é", "a = é", "[ *", "[*]", "[[\u{2E80}", "a = [é", "a = {é"])
    func `a letter where none may stand is refused`(text: String) {
        #expect(failure(text) != nil)
    }

    @Test func `the deepest text that is let through is built and released`() throws {
        let header = "[" + Array(repeating: "a", count: 501).joined(separator: ".") + "]\n"
        let key = Array(repeating: "b", count: 501).joined(separator: ".")
        let value = String(repeating: "[", count: 63) + String(repeating: "]", count: 63)
        #expect(try TOMLDocument.parse(header + key + " = " + value).entries.count == 1)
        #expect(failure(header + key + " = " + value + "\n[unclosed") != nil)
    }

    @Test func `dots in strings and comments do not count`() throws {
        let dots = String(repeating: ".", count: 2000)
        let text =
            "a = \"\\\"\(dots)\" # \(dots)\nb = '\(dots)'\nc = \"\"\"\\\n\"\(dots)\"\"\"\nd = '''\n\(dots)''\(dots)'''\ne=1"
        #expect(try TOMLDocument.parse(text).entries.count == 5)
    }

    @Test func `a text above the limit is refused`() {
        #expect(failure(String(repeating: "#", count: TOMLDocument.maxBytes + 1)) != nil)
        #expect(failure(String(repeating: "#", count: TOMLDocument.maxBytes)) == nil)
    }

    @Test(arguments: [
        "a = tok_secretsecret", "a = sk-secretsecret", "a = 12345678901234567890123", "a = fsecretsecret",
        "a = isecretsecret", "a = \"secretsecret\nb", "a = secretsecret", "a = 'x' secretsecret", "a = [secretsecret",
        "a = { b = \"x\" secretsecret", "a = 0xsecretsecret", "a = 1secretsecret", "a = tru secretsecret",
    ])
    func `an error message never repeats a value`(text: String) throws {
        let fault = try #require(failure(text))
        #expect(!fault.message.contains("secret"), "\(fault)")
        #expect(!fault.message.contains("12345"), "\(fault)")
    }
}
