// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import MenshenCore

/// Answers questions about recorded requests. Reads, and never writes to, the database. Belongs to one thread.
package final class RecordReports {
    /// Throws if there is no database that this user may read.
    package init(_ path: String) throws(StoreFault) {
        _ = try RecordReader(path)
    }

    /// Rows by bucket, and within it in no order.
    package func rows(_ query: ReportQuery) throws(StoreFault) -> [ReportRow] { [] }
}
