// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CSQLite

/// One compiled statement: bind, step, read columns, reset. Parameters count from 1, columns from 0, as in SQLite.
/// Belongs to the thread of its connection.
package final class Statement {
    private let handle: OpaquePointer
    /// Bound text rests here until `reset`, so that neither Swift nor SQLite allocates per value.
    private let scratch: UnsafeMutableRawPointer
    private var used = 0
    /// Room for every text of an ordinary request; what does not fit is copied by SQLite.
    private static let capacity = 2048
    /// SQLITE_TRANSIENT, a cast that Swift does not import.
    private static let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)

    init(_ handle: OpaquePointer) {
        self.handle = handle
        scratch = .allocate(byteCount: Self.capacity, alignment: 16)
    }

    deinit {
        // Its result repeats the last failure of `step`.
        sqlite3_finalize(handle)
        scratch.deallocate()
    }

    package func bind(_ index: Int32, _ value: Int64) throws(SQLiteError) {
        try check(sqlite3_bind_int64(handle, index, value))
    }

    package func bind(_ index: Int32, _ value: Int64?) throws(SQLiteError) {
        if let value { try bind(index, value) } else { try bindNull(index) }
    }

    package func bind(_ index: Int32, _ value: Double) throws(SQLiteError) {
        try check(sqlite3_bind_double(handle, index, value))
    }

    package func bind(_ index: Int32, _ value: String) throws(SQLiteError) {
        var value = value
        let code = value.withUTF8 { bytes -> Int32 in
            let count = bytes.count
            guard count <= Self.capacity - used else {
                return sqlite3_bind_text64(
                    handle, index, bytes.baseAddress, UInt64(count), Self.transient, UInt8(SQLITE_UTF8))
            }
            let place = scratch + used
            if let base = bytes.baseAddress { place.copyMemory(from: base, byteCount: count) }
            used += count
            return sqlite3_bind_text64(handle, index, place, UInt64(count), nil, UInt8(SQLITE_UTF8))
        }
        try check(code)
    }

    package func bind(_ index: Int32, _ value: String?) throws(SQLiteError) {
        if let value { try bind(index, value) } else { try bindNull(index) }
    }

    /// A few bytes, which SQLite copies; `run` binds many without a copy.
    package func bind(_ index: Int32, bytes: [UInt8]) throws(SQLiteError) {
        try check(
            bytes.withUnsafeBytes {
                sqlite3_bind_blob64(
                    handle, index, $0.baseAddress ?? UnsafeRawPointer(scratch), UInt64($0.count), Self.transient)
            })
    }

    package func bindNull(_ index: Int32) throws(SQLiteError) {
        try check(sqlite3_bind_null(handle, index))
    }

    /// Runs the statement to its end with one blob bound to `index` for the time of the call, without a copy.
    package func run(_ index: Int32, bytes: [UInt8]) throws(SQLiteError) {
        defer { reset() }
        let outcome = bytes.withUnsafeBytes { buffer -> Result<Void, SQLiteError> in
            Result { () throws(SQLiteError) in
                // A null pointer would bind NULL in place of an empty blob.
                let base = buffer.baseAddress ?? UnsafeRawPointer(scratch)
                try check(sqlite3_bind_blob64(handle, index, base, UInt64(buffer.count), nil))
                defer { sqlite3_bind_null(handle, index) }
                while try step() {}
                reset()
            }
        }
        try outcome.get()
    }

    /// True with a row to read, false at the end.
    package func step() throws(SQLiteError) -> Bool {
        let code = sqlite3_step(handle)
        if code == SQLITE_DONE { return false }
        if code == SQLITE_ROW { return true }
        throw error(code)
    }

    /// Runs the statement to its end and makes it ready for the next values.
    package func run() throws(SQLiteError) {
        defer { reset() }
        while try step() {}
    }

    /// Ready for new values. Parameters keep what was bound, but text is no longer there: bind every one again.
    package func reset() {
        // Its result repeats the failure that `step` has thrown.
        sqlite3_reset(handle)
        used = 0
    }

    package func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

    package func integer(_ column: Int32) -> Int64? {
        isNull(column) ? nil : sqlite3_column_int64(handle, column)
    }

    package func double(_ column: Int32) -> Double? {
        isNull(column) ? nil : sqlite3_column_double(handle, column)
    }

    package func text(_ column: Int32) -> String? {
        guard let base = sqlite3_column_text(handle, column) else { return nil }
        let count = Int(sqlite3_column_bytes(handle, column))
        return String(decoding: UnsafeBufferPointer(start: base, count: count), as: UTF8.self)
    }

    /// The text as it is stored, without a copy; not called for NULL.
    @inline(__always)
    package func withText(_ column: Int32, _ use: (UnsafeBufferPointer<UInt8>) -> Void) {
        guard let base = sqlite3_column_text(handle, column) else { return }
        use(UnsafeBufferPointer(start: base, count: Int(sqlite3_column_bytes(handle, column))))
    }

    package func bytes(_ column: Int32) -> [UInt8]? {
        if isNull(column) { return nil }
        guard let base = sqlite3_column_blob(handle, column) else { return [] }
        return [UInt8](UnsafeRawBufferPointer(start: base, count: Int(sqlite3_column_bytes(handle, column))))
    }

    /// Text or blob of a column of the present row, in place: nil for NULL, and gone with the next step.
    package func withBytes<Result>(_ column: Int32, _ body: (UnsafeRawBufferPointer?) -> Result) -> Result {
        guard let base = sqlite3_column_blob(handle, column) else {
            return isNull(column) ? body(nil) : body(UnsafeRawBufferPointer(start: nil, count: 0))
        }
        return body(UnsafeRawBufferPointer(start: base, count: Int(sqlite3_column_bytes(handle, column))))
    }

    private func check(_ code: Int32) throws(SQLiteError) {
        if code != SQLITE_OK { throw error(code) }
    }

    private func error(_ code: Int32) -> SQLiteError {
        let sql = sqlite3_sql(handle).map { String(cString: $0) } ?? ""
        return SQLiteError.last(code, on: sqlite3_db_handle(handle), sql: sql)
    }
}
