// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A question about recorded requests: sums by bucket of time and by value of some dimensions.
package struct ReportQuery: Sendable {
    /// Seconds since 1970, ascending: bucket `i` is from `edges[i]` to before `edges[i + 1]`. Two edges are one bucket.
    package var edges: [Int64]
    /// None: one row a bucket.
    package var groups: [Dimension]
    /// What has no price can't be asked for here: a sum does not tell which of its requests had none.
    package var filters: [ReportFilter]
    /// Times of first bytes are asked for as well; reading them costs more than all sums.
    package var wantsLatency: Bool

    package init(
        edges: [Int64], by groups: [Dimension] = [], where filters: [ReportFilter] = [], latency: Bool = false
    ) {
        self.edges = edges
        self.groups = groups
        self.filters = filters
        wantsLatency = latency
    }
}

/// A group of requests in a bucket. There is none for a group without requests.
package struct ReportRow: Sendable {
    package var bucket: Int
    /// A value for each of the query's groups; nil where the requests have none.
    package var keys: [String?]
    package var sums: ReportSums
    /// nil unless asked for.
    package var firstBytes: LatencyHistogram?

    /// Nobody could see what it is grouped by.
    package var isUnknown: Bool { keys.allSatisfy { $0 == nil } }

    package init(bucket: Int, keys: [String?], sums: ReportSums, firstBytes: LatencyHistogram? = nil) {
        self.bucket = bucket
        self.keys = keys
        self.sums = sums
        self.firstBytes = firstBytes
    }
}
