// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import SQLite

extension StoreFault {
    init(_ error: SQLiteError, path: String) {
        switch error.kind {
        case .busy:
            self.init(
                reason: "another program holds its write lock",
                advice: "End that program's transaction; `fuser \(path)` names it.")
        case .full:
            self.init(
                reason: "the disk or the database's size limit is full",
                advice: "Free space or lower [storage] retention_days.")
        case .corrupt, .notADatabase:
            self.init(
                reason: "its content is damaged (\(error))",
                advice: "Move \(path) and its -wal and -shm files away; a new one is made within seconds. "
                    + "`sqlite3 OLD .recover` saves what can be read.")
            isDamage = true
        case .readOnly, .cannotOpen:
            self.init(
                reason: "it can't be written (\(error))",
                advice: "Look at the owner and mode of the file and its directory, and at mount options.")
        case .inputOutput:
            self.init(reason: "the disk failed (\(error))", advice: "Look at the kernel's log and the disk.")
        case .other:
            self.init(reason: "\(error)", advice: "If it stays, please report it.")
        }
    }

    static let foreign = StoreFault(
        reason: "it is a database of another program",
        advice: "Set [storage.sqlite] path to a file of its own; menshen creates it.")
}
