// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A question about recorded requests: sums by bucket of time and by value of some dimensions.
package struct ReportQuery: Sendable {
    /// Seconds since 1970, ascending: bucket `i` is from `edges[i]` to before `edges[i + 1]`. Two edges are one bucket.
    package var edges: [Int64]
    /// None: one row a bucket.
    package var groups: [Dimension]
    package var filters: [ReportFilter]
    /// Only what failed, as `ReportSums.Count.failed` says it.
    package var failedOnly = false
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

/// Requests whose dimension has one of some values. Filters of a query hold all at once.
package struct ReportFilter: Sendable, Equatable {
    package let dimension: Dimension
    /// Each is a value, a pattern in which `*` stands for anything, or nil for requests that have no value there. None: nothing
    /// matches. Of `status` also `4xx`.
    package let values: [String?]
    private let patterns: [ModelPattern]
    private let takesNone: Bool

    package init(_ dimension: Dimension, _ values: [String?]) {
        self.dimension = dimension
        self.values = values
        takesNone = values.contains(nil)
        patterns = values.compactMap { $0.map(ModelPattern.init) }
    }

    package func matches(_ value: String?) -> Bool {
        guard let value else { return takesNone }
        return patterns.contains { pattern in
            if pattern.matches(value) { return true }
            guard dimension == .status else { return false }
            return Self.isClass(pattern.description, of: value)
        }
    }

    /// "4xx" of "404".
    private static func isClass(_ text: String, of status: String) -> Bool {
        text.utf8.count == 3 && text.hasSuffix("xx") && text.utf8.first == status.utf8.first
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

    package init(bucket: Int, keys: [String?], sums: ReportSums, firstBytes: LatencyHistogram? = nil) {
        self.bucket = bucket
        self.keys = keys
        self.sums = sums
        self.firstBytes = firstBytes
    }
}
