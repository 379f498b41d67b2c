// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
package import MenshenCore
internal import SQLite

/// How the database of records is, without changing it, whether a menshen has it open or not.
package struct DatabaseCondition: Sendable {
    package enum Layout: Sendable, Equatable {
        case current
        /// Its next menshen makes it fit.
        case older
        /// A menshen of this version leaves it alone.
        case newer
    }

    /// Bytes of the file and of the log beside it.
    package let size: Int64
    package let rows: Int64
    package let layout: Layout
    /// What SQLite finds wrong with it; nil: it is too large to be read for that.
    package let damage: [String]?
    /// Bytes that are left on its file system.
    package let free: Int64?
    /// Permission bits.
    package let mode: UInt32

    /// A disk reads so many bytes in some seconds.
    private static let largest: Int64 = 1 << 30

    /// Throws if there is none that this user may read.
    package init(_ path: String) throws(StoreFault) {
        let reader = try RecordReader(path)
        let (directory, file) = (PrivateDirectory.parent(of: reader.path), reader.path)
        let size = [file, file + "-wal"].reduce(0) { $0 + (PrivateFile.identity(of: $1)?.size ?? 0) }
        let isSmall = size <= Self.largest
        (rows, layout, damage) = try reader.use { (connection) throws(SQLiteError) in
            let rows = try connection.integer("SELECT count(*) FROM requests") ?? 0
            let findings = isSmall ? try connection.integrityCheck(quick: true).filter { $0 != "ok" } : nil
            let layout: Layout =
                switch try Schema.migrator.state(connection) {
                case .current: .current
                case .older: .older
                case .newer: .newer
                }
            return (rows, layout, findings)
        }
        (self.size, free, mode) = (size, FileReading.freeSpace(directory), FileReading.mode(file) ?? 0)
    }
}
