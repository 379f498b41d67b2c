// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import Linux
import MenshenCore
import MenshenStore
import SQLite
import Testing

@Suite struct DatabaseConditionTests {
    private let scratch = Scratch()
    private let path: String

    init() {
        path = scratch("menshen.db")
        _ = StoreWorker(StoreSettings(databasePath: path, journal: nil)) { _ in }
    }

    private func change(_ sql: String) throws {
        try Connection(path: path, .readWrite, busyMilliseconds: 0).execute(sql)
    }

    @Test func `a sound one is current, private, and has no rows yet`() throws {
        let condition = try DatabaseCondition(path)
        #expect(condition.layout == .current && condition.damage == [] && condition.mode == 0o600)
        #expect(condition.rows == 0 && condition.size > 4096)
        #expect(try #require(condition.free) > 0)
    }

    @Test func `one of another version is told, and left as it is`() throws {
        try change("DELETE FROM migrations WHERE step = '10 chain'")
        #expect(try DatabaseCondition(path).layout == .older)
        try change("INSERT INTO migrations (step) VALUES ('99 tomorrow')")
        #expect(try DatabaseCondition(path).layout == .newer)
    }

    @Test func `damage is found`() throws {
        try change("PRAGMA journal_mode = DELETE")
        let pages = try #require(
            try Connection(path: path, .readOnly, busyMilliseconds: 0).integer(
                "SELECT rootpage FROM sqlite_schema WHERE name = 'attempts'"))
        let descriptor = open(path, O_WRONLY)
        #expect(pwrite(descriptor, [UInt8](repeating: 0xff, count: 4096), 4096, Int(pages - 1) * 4096) == 4096)
        close(descriptor)
        do throws(StoreFault) {
            #expect(try DatabaseCondition(path).damage?.isEmpty == false)
        } catch {
            #expect(error.isDamage, "\(error)")
        }
    }
}
