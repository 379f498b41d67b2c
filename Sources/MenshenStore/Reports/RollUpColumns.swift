// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// What of a row of `requests` goes into reports: its dimensions, and what it adds to each count, as SQL. All that reads rows
/// for a report reads them so.
enum RollUpColumns {
    /// In the order of `Dimension.allCases`.
    static let dimensions = Dimension.allCases.map(sql)
    /// In the order of `ReportSums.Count.allCases`.
    static let counts = ReportSums.Count.allCases.map(sql)
    static let firstByte = "ttfb_us"
    /// As it stands behind SELECT: id, dimensions, counts, time of the first byte.
    static let select = (["id"] + dimensions + counts + [firstByte]).joined(separator: ", ")

    static let firstDimension: Int32 = 1
    static let firstCount = Int32(1 + dimensions.count)
    static let latency = Int32(1 + dimensions.count + counts.count)

    static let failed =
        "(coalesce(status, 0) >= 400 OR end_state NOT IN ('complete', 'client_gone', 'open'))"

    static let usageUnknown = "coalesce(usage_state, '') = 'unknown' OR end_state = 'lost' AND usage_state IS NULL"
    /// Rows of before there were costs have no state, but what was used.
    static let unpriced =
        """
        cost IS NULL AND coalesce(usage_state, '') IN ('reported', 'partial', 'estimated')
        AND coalesce(cost_state, 'unpriced') IN ('unpriced', 'partial')
        """

    /// Where nothing is charged there is nothing to save.
    static let savedUnknown =
        "saved IS NULL AND (coalesce(cache, '') = 'hit' OR coalesce(cache_read, 0) > 0 AND coalesce(cost_state, '') <> 'none')"

    /// Of rows that have one of these.
    static func condition(_ traits: RequestTraits) -> String {
        let conditions = traits.counts.map { "(\(sql($0)))" }
        return conditions.isEmpty ? "(0)" : "(\(conditions.joined(separator: " OR ")))"
    }

    /// What is searched for text.
    static let words = (dimensions + ["path", "problem", "answer_model"]).map { "coalesce(\($0), '')" }
        .joined(separator: " || char(10) || ")

    private static func sql(_ dimension: Dimension) -> String {
        switch dimension {
        case .model: "coalesce(model, answer_model)"
        case .provider: "provider"
        case .caller: "coalesce(token_name, 'uid:' || caller_uid)"
        case .token: "token_name"
        case .user: "CAST(caller_uid AS TEXT)"
        case .program: "caller_exe"
        case .unit: "caller_unit"
        case .client: "client"
        case .session: "session"
        case .agent: "agent"
        case .job: "caller_job"
        case .project: "caller_project"
        case .operation: "operation"
        case .status: "CAST(status AS TEXT)"
        case .outcome: "end_state"
        case .endUser: "end_user"
        }
    }

    private static func sql(_ count: ReportSums.Count) -> String {
        switch count {
        case .requests: "count"
        case .failed: "CASE WHEN \(failed) THEN count ELSE 0 END"
        case .open: "end_state = 'open'"
        case .lost: "end_state = 'lost'"
        case .usageUnknown: usageUnknown
        case .unpriced: unpriced
        case .partial: "cost IS NOT NULL AND cost_state = 'partial'"
        case .priced: "cost IS NOT NULL AND coalesce(cost_state, 'priced') <> 'none'"
        case .inputTotal: "input_total"
        case .inputUncached: "input_uncached"
        case .cacheRead: "cache_read"
        case .cacheWrite: "cache_write"
        case .outputTotal: "output_total"
        case .reasoning: "reasoning"
        case .cost: "cost"
        case .cacheHits: "coalesce(cache, '') = 'hit'"
        case .savedInput: "saved_input"
        case .savedOutput: "saved_output"
        case .saved: "saved"
        case .savedHere: "CASE WHEN cache = 'hit' THEN saved END"
        case .savedUnknown: savedUnknown
        case .bytesIn: "bytes_in"
        case .bytesOut: "bytes_out"
        case .attempts: "attempts"
        case .totalMicroseconds: "total_us"
        case .settled: "total_us IS NOT NULL"
        }
    }
}
