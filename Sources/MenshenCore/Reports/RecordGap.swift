// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A time of which rows are missing: the database could not be written, and there were more than memory holds.
package struct RecordGap: Sendable, Equatable {
    /// Microseconds since 1970: when the database was lost, and when it was back.
    package let since: Int64
    package let until: Int64
    /// So many requests at most.
    package var missing: Int64
    /// Why the database was not in use.
    package let reason: String

    package init(since: Int64, until: Int64, missing: Int64, reason: String) {
        (self.since, self.until, self.missing, self.reason) = (since, until, missing, reason)
    }

    package func overlaps(_ seconds: Range<Int64>) -> Bool {
        since < seconds.upperBound * 1_000_000 && until >= seconds.lowerBound * 1_000_000
    }
}
