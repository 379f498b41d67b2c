// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import MenshenCore
internal import SQLite

extension RecordReader {
    /// What was spent by requests that began at `since` (seconds since 1970) or later, in the order in which they began. The
    /// rows are found by their id, which is their time. Requests of which nobody was asked are left out.
    package func pastRequests(since: Int64, _ visit: (PastRequest) -> Void) throws(StoreFault) {
        let known = Set(RecordColumns.columns.map(\.name))
        // A list that is older than a column has nothing there.
        func column(_ name: String) -> String { known.contains(name) ? name : "NULL" }
        let bound = RequestID(microseconds: max(0, since) * 1_000_000).rawValue
        try read(
            """
            SELECT id, token_name, \(column("rule")), provider, model, answer_model, coalesce(cache, '') = 'hit',
            CASE WHEN end_state IN ('lost', 'open') THEN 'lost' ELSE coalesce(usage_state, 'none') END,
            input_total, output_total, bytes_in, bytes_out, \(column("cost")),
            (SELECT model FROM attempts WHERE request_id = requests.id ORDER BY n DESC LIMIT 1)
            FROM requests WHERE id >= \(bound) AND (attempts > 0 OR end_state IN ('lost', 'open') OR cache = 'hit')
            ORDER BY id
            """
        ) { row in
            visit(
                PastRequest(
                    time: RequestID(rawValue: row.integer(0) ?? 0).microseconds / 1_000_000, token: row.text(1),
                    rule: row.text(2), provider: row.text(3), model: row.text(4), askedModel: row.text(13),
                    answerModel: row.text(5),
                    isReplayed: row.integer(6) == 1, usage: Self.usage(row.text(7)), input: row.integer(8) ?? 0,
                    output: row.integer(9) ?? 0, bytesIn: row.integer(10) ?? 0, bytesOut: row.integer(11) ?? 0,
                    cost: row.integer(12).map { Money(picodollars: $0) }))
        }
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
