// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import MenshenCore
internal import SQLite

extension RecordReader {
    /// What was spent by requests that began at `since` (seconds since 1970) or later, in the order in which they began. The
    /// rows are found by their id, which is their time. Requests of which nobody was asked are left out, as their end has
    /// given back what they had reserved.
    package func pastRequests(since: Int64, _ visit: (PastRequest) -> Void) throws(StoreFault) {
        try pastRequests(where: "id >= \(RequestID(microseconds: max(0, since) * 1_000_000).rawValue)", visit)
    }

    /// The same of these, as far as they have rows.
    package func pastRequests(_ ids: [RequestID], _ visit: (PastRequest) -> Void) throws(StoreFault) {
        try pastRequests(where: "id IN (\(ids.map { "\($0.rawValue)" }.joined(separator: ", ")))", visit)
    }

    private func pastRequests(where condition: String, _ visit: (PastRequest) -> Void) throws(StoreFault) {
        let known = Set(RecordColumns.columns.map(\.name))
        // A list that is older than a column has nothing there.
        func column(_ name: String) -> String { known.contains(name) ? name : "NULL" }
        let unasked = AttemptRecord.unasked.sorted().map { "'\($0)'" }.joined(separator: ", ")
        try read(
            """
            SELECT id, token_name, \(column("rule")), provider, model, answer_model, coalesce(cache, '') = 'hit',
            CASE WHEN end_state IN ('lost', 'open') THEN 'lost' ELSE coalesce(usage_state, 'none') END,
            input_total, output_total, bytes_in, bytes_out, \(column("cost")),
            (SELECT model FROM attempts WHERE request_id = requests.id ORDER BY n DESC LIMIT 1),
            caller_uid, caller_exe, caller_unit, \(column("caller_job")), \(column("caller_project"))
            FROM requests WHERE \(condition) AND (end_state IN ('lost', 'open') OR cache = 'hit' OR attempts > 0
                AND (NOT EXISTS (SELECT 1 FROM attempts WHERE request_id = requests.id)
                    OR EXISTS (SELECT 1 FROM attempts WHERE request_id = requests.id
                        AND (status IS NOT NULL OR reason NOT IN (\(unasked))))))
            ORDER BY id
            """
        ) { row in
            visit(
                PastRequest(
                    time: RequestID(rawValue: row.integer(0) ?? 0).microseconds / 1_000_000, token: row.text(1),
                    rule: row.text(2), caller: Self.caller(row), provider: row.text(3), model: row.text(4),
                    askedModel: row.text(13),
                    answerModel: row.text(5),
                    isReplayed: row.integer(6) == 1, usage: Self.usage(row.text(7)), input: row.integer(8) ?? 0,
                    output: row.integer(9) ?? 0, bytesIn: row.integer(10) ?? 0, bytesOut: row.integer(11) ?? 0,
                    cost: row.integer(12).map { Money(picodollars: $0) }))
        }
    }

    /// Where its own rule counts beside that of its token.
    private static func caller(_ row: Statement) -> CallerRecord? {
        guard row.text(1) != nil, let uid = row.integer(14).flatMap({ UInt32(exactly: $0) }) else { return nil }
        return CallerRecord(
            uid: uid, pid: nil, executable: row.text(15), unit: row.text(16), job: row.text(17), project: row.text(18),
            address: "unix")
    }

    private static func usage(_ state: String?) -> PastRequest.Usage {
        switch state {
        case "lost": .lost
        case UsageState.reported.rawValue: .reported
        case UsageState.partial.rawValue: .partial
        case UsageState.unknown.rawValue: .unknown
        default: .none
        }
    }
}
