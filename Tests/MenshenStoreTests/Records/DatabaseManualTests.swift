// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import MenshenCore
import MenshenStore
import SQLite
import Testing

/// `contrib/manual/database.md` against the real schema.
@Suite struct DatabaseManualTests {
    private func manual() throws -> String {
        let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(4).joined(separator: "/")
        let descriptor = open(root + "/contrib/manual/database.md", O_RDONLY)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = read(descriptor, &bytes, bytes.count)
        try #require(count > 0)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    @Test func `the manual's tables of columns are the list's`() throws {
        let text = try manual()
        func table(_ name: String) throws -> Substring {
            let begin = try #require(text.firstRange(of: "<!-- \(name): begin -->\n"))
            let end = try #require(text.firstRange(of: "<!-- \(name): end -->"))
            return text[begin.upperBound..<end.lowerBound]
        }
        #expect(try table("requests") == RecordColumns.manual.requests, "paste what RecordColumns.manual gives")
        #expect(try table("usage") == RecordColumns.manual.usage, "paste what RecordColumns.manual gives")
    }

    @Test func `every query runs and every column and state is explained`() throws {
        let scratch = Scratch()
        let worker = StoreWorker(StoreSettings(databasePath: scratch("menshen.db"), journal: nil)) { _ in }
        worker.record([.settled(settlement(intent(id(1))))])
        let reader = try Connection.reading(scratch("menshen.db"))
        let text = try manual()
        let blocks = text.split(separator: "\n\n").filter { $0.hasPrefix("    SELECT") }
        #expect(blocks.count == 8)
        for block in blocks {
            let query = try reader.prepare(String(block), reused: false)
            while try query.step() {}
        }
        for table in ["requests", "attempts", "bodies"] {
            let columns = try reader.prepare("SELECT name FROM pragma_table_info('\(table)')", reused: false)
            while try columns.step() {
                let column = columns.text(0) ?? ""
                #expect(text.contains("`\(column)`"), "\(table).\(column)")
            }
        }
        for state in EndState.allCases { #expect(text.contains("`\(state.rawValue)`"), "\(state)") }
    }
}
