// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
internal import Linux
internal import SQLite

/// Makes a database path fit for audit rows: a 0600 file of our own in a directory that is made 0700 if missing.
enum DatabaseFile {
    struct Place {
        /// With the directory's symbolic links resolved, as SQLite wants it.
        let path: String
        let directory: String
        /// Mode of a directory that was there and lets others in; nil if all is well.
        let exposedMode: UInt32?
    }

    /// Must not run while this process has the database open: closing a descriptor of it would drop SQLite's locks.
    static func prepare(_ path: String) throws(StoreFault) -> Place {
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        let name = slash.map { String(path[path.utf8.index(after: $0)...]) } ?? path
        let wanted = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        if name.isEmpty { throw StoreFault(reason: "the path ends in a slash", advice: "Give the path of a file.") }
        try makeDirectory(wanted)
        guard let resolved = realpath(wanted, nil) else { throw system("resolve", wanted) }
        defer { free(resolved) }
        let directory = String(cString: resolved)
        let file = directory == "/" ? "/" + name : directory + "/" + name
        let mode = try checkDirectory(directory)
        for suffix in companions { try checkCompanion(file + suffix) }

        let created = open(file, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        if created >= 0 {
            close(created)
        } else if errno != EEXIST {
            throw system("create", file)
        }
        var status = stat()
        guard lstat(file, &status) == 0 else { throw system("look at", file) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFLNK: throw refused(file, "it is a symbolic link")
        case S_IFDIR: throw refused(file, "it is a directory")
        default: throw refused(file, "it is not a regular file")
        }
        try makePrivate(file, status)
        return Place(path: file, directory: directory, exposedMode: mode & 0o077 == 0 ? nil : mode)
    }

    /// What SQLite and menshen keep beside the file, as readable as the file itself. The intent log looks after itself.
    private static let companions = ["-wal", "-shm", "-journal", ".lock"]

    /// Who may write there may make a companion before us, and read what is written to it. Returns the directory's mode.
    private static func checkDirectory(_ directory: String) throws(StoreFault) -> UInt32 {
        var status = stat()
        guard stat(directory, &status) == 0 else { throw system("look at", directory) }
        let mode = UInt32(status.st_mode & 0o7777)
        let why: String
        if status.st_uid != geteuid(), status.st_uid != 0 {
            why = "it belongs to uid \(status.st_uid)"
        } else if mode & 0o022 != 0 {
            why = "other users may write to it (mode 0\(String(mode, radix: 8)))"
        } else {
            return mode & 0o777
        }
        throw StoreFault(
            reason: "the directory \(directory) is not used because \(why)",
            advice: "Run 'chmod 700 \(directory)' if it is yours, or set [storage.sqlite] path to another place.")
    }

    private static func checkCompanion(_ path: String) throws(StoreFault) {
        var status = stat()
        if lstat(path, &status) != 0 {
            if errno == ENOENT { return }
            throw system("look at", path)
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw refused(path, "it is not a regular file") }
        try makePrivate(path, status)
    }

    private static func makePrivate(_ file: String, _ status: stat) throws(StoreFault) {
        guard status.st_uid == geteuid() else { throw refused(file, "it belongs to uid \(status.st_uid)") }
        guard status.st_nlink == 1 else { throw refused(file, "it has another name as well, a hard link") }
        if status.st_mode & 0o077 != 0 {
            guard chmod(file, 0o600) == 0 else { throw system("make private", file) }
        }
    }

    /// Device and inode; nil if nothing is there.
    static func identity(_ path: String) -> [UInt64]? { identity { lstat(path, &$0) } }

    static func identity(descriptor: Int32) -> [UInt64]? { identity { fstat(descriptor, &$0) } }

    private static func identity(_ look: (inout stat) -> Int32) -> [UInt64]? {
        var status = stat()
        guard look(&status) == 0 else { return nil }
        return [UInt64(status.st_dev), UInt64(status.st_ino)]
    }

    private static func makeDirectory(_ path: String) throws(StoreFault) {
        if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
            throw system("create", path)
        }
        try makeDirectory(String(path[..<slash]))
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw system("create", path) }
    }

    private static func refused(_ file: String, _ why: String) -> StoreFault {
        StoreFault(
            reason: "\(file) is not used because \(why)",
            advice: "Move it away or set [storage.sqlite] path to another place.")
    }

    static func system(_ verb: String, _ subject: String) -> StoreFault {
        let error = SystemError(verb, code: errno, subject: subject)
        return StoreFault(
            reason: "can't \(error)",
            advice: "Make the directory writable for this user or set [storage.sqlite] path to another place.")
    }
}

/// Holds the lock where there may be none: the lock itself can't be copied.
final class HeldLock {
    private let lock: DatabaseLock
    init(_ databasePath: String) throws(StoreFault) { lock = try DatabaseLock(databasePath: databasePath) }
}

/// The right to be the only menshen that writes a database: a lock on `FILE.lock`, held until released.
struct DatabaseLock: ~Copyable {
    private let descriptor: Int32

    init(databasePath: String) throws(StoreFault) {
        let path = databasePath + ".lock"
        let opened = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard opened >= 0 else { throw DatabaseFile.system("open", path) }
        guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
            let isTaken = errno == EWOULDBLOCK
            let fault =
                isTaken
                ? StoreFault(
                    reason: "another menshen\(Self.owner(opened)) uses it",
                    advice: "Stop one of the two or give each its own [storage.sqlite] path.")
                : DatabaseFile.system("lock", path)
            close(opened)
            throw fault
        }
        // Only for the message above: whoever is refused can say by whom.
        let text = Array("\(getpid())\n".utf8)
        if ftruncate(opened, 0) == 0 { _ = pwrite(opened, text, text.count, 0) }
        // Last: once this is set, deinit closes it, also when init throws.
        descriptor = opened
    }

    deinit { close(descriptor) }

    private static func owner(_ descriptor: Int32) -> String {
        var text = [UInt8](repeating: 0, count: 16)
        let count = pread(descriptor, &text, text.count, 0)
        guard count > 1, let pid = Int(String(decoding: text[..<(count - 1)], as: UTF8.self)) else { return "" }
        return " (process \(pid))"
    }
}

extension Connection {
    /// What menshen's files have in common, records and cache. `isEmpty`: the file has no table yet.
    func prepareFile(isEmpty: Bool, applicationID: Int64) throws(SQLiteError) {
        if isEmpty {
            // All three must precede the first table.
            try execute("PRAGMA page_size = 4096")
            try execute("PRAGMA auto_vacuum = INCREMENTAL")
            try execute("PRAGMA application_id = \(applicationID)")
        }
        // NORMAL: a commit survives the death of the process without an fsync, only checkpoints wait for the disk, and a
        // power cut may cost the last moments, never the database. Temporary tables stay in memory, so that no prompt and
        // no answer reaches /tmp.
        for pragma in [
            "journal_mode = WAL", "synchronous = NORMAL", "cache_size = -4096", "temp_store = MEMORY",
            "journal_size_limit = 16777216", "trusted_schema = OFF", "cell_size_check = ON",
        ] {
            try execute("PRAGMA \(pragma)")
        }
    }
}
