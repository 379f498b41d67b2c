// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import MenshenStore
import SQLite
import Testing

/// What caches saved, from rows and from roll-ups.
@Suite struct SavedSumsTests {
    private let scratch = Scratch()
    private var path: String { scratch("menshen.db") }
    private let start: Int64 = 1_800_000_000

    /// A row each two minutes. Of each six the first saved 7, the second -5 by writing, the third nobody knows what, the fourth is a hit of 11,
    /// the fifth one of unknown worth; the sixth is of a provider that charges nothing.
    private func fill(_ count: Int) throws {
        _ = StoreWorker(StoreSettings(databasePath: path, journal: nil)) { _ in }
        try Connection.reading(path).execute(
            """
            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < \(count - 1))
            INSERT INTO requests (id, end_state, status, count, attempts, cache_read, cache, saved, cost, cost_state)
            SELECT (\(start) + i * 120) * 1000000 << 10, 'complete', 200, 1, 1,
                CASE WHEN i % 6 IN (0, 2, 5) THEN 10 END, CASE WHEN i % 6 IN (3, 4) THEN 'hit' END,
                CASE i % 6 WHEN 0 THEN 7 WHEN 1 THEN -5 WHEN 3 THEN 11 END, CASE WHEN i % 6 <> 2 THEN 0 END,
                CASE WHEN i % 6 = 2 THEN 'unpriced' WHEN i % 6 < 2 THEN 'priced' ELSE 'none' END FROM n
            """)
    }

    @Test func `sums are exact, menshen's own apart, and what is not known is counted`() throws {
        try fill(600)
        let now = start + 100_000
        for isRolledUp in [false, true] {
            if isRolledUp { try #require(try RollUps(path)).update(now: now) }
            let sums = try #require(try RecordReports(path).rows(ReportQuery(edges: [0, now])).first).sums
            #expect([sums[.saved], sums[.savedHere], sums[.savedUnknown]] == [1300, 1100, 200])
            #expect(sums.isSavedLowerBound)
        }
    }
}
