// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// The columns of `attempts`, but for its keys `request_id` and `n`. The journal has an attempt in one value, with tabs
/// between the columns; a new one comes last, because older entries stay readable.
package enum AttemptColumns: ColumnList {
    package static let columns = collect()

    static var blank: AttemptRecord {
        AttemptRecord(provider: "", status: nil, reason: "", startedMicroseconds: 0, endedMicroseconds: 0)
    }

    @inline(__always)
    static func visitBeginning<Visitor: ColumnVisitor>(_: inout Visitor, _: AttemptRecord) {}

    @inline(__always)
    static func visitEnd<Visitor: ColumnVisitor>(
        _ list: inout Visitor, _ row: AttemptRecord
    ) throws(Visitor.Failure) {
        try list.text(Column("reason", required: true), row.reason)
        try list.integer(Column("status"), row.status.map(Int64.init))
        try list.integer(Column("started_us", required: true), row.startedMicroseconds)
        try list.integer(Column("ended_us", required: true), row.endedMicroseconds)
        try list.integer(Column("key_n"), row.key.map(Int64.init))
        try list.text(Column("provider", required: true), row.provider)
        try list.text(Column("model"), row.model)
    }
}
