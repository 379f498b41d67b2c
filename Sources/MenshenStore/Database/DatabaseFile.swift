// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
internal import Linux
internal import MenshenCore
internal import SQLite

/// Makes a database path fit for audit rows: a 0600 file of our own in a directory that is made 0700 if missing.
package enum DatabaseFile {
    package struct Place {
        /// With the directory's symbolic links resolved, as SQLite wants it.
        package let path: String
        let directory: String
        /// Mode of a directory that was there and lets others in; nil if all is well.
        let exposedMode: UInt32?
    }

    /// Must not run while this process has the database open: closing a descriptor of it would drop SQLite's locks.
    static func prepare(_ path: String) throws(StoreFault) -> Place {
        let (file, directory) = try resolve(path, makingDirectory: true)
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

    /// The path without symbolic links on the way to the file.
    static func resolve(
        _ path: String, makingDirectory mayMake: Bool = false
    ) throws(StoreFault) -> (file: String, directory: String) {
        let wanted = try directory(of: path)
        if mayMake { try makeDirectory(wanted) }
        guard let place = canonical(path, in: wanted) else { throw system("resolve", wanted) }
        return place
    }

    static func directory(of path: String) throws(StoreFault) -> String {
        if path.isEmpty || path.hasSuffix("/") {
            throw StoreFault(reason: "the path '\(path)' names no file", advice: "Give the path of a file.")
        }
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// nil: there is no such directory, or it can't be looked into; errno tells.
    static func canonical(_ path: String, in wanted: String) -> (file: String, directory: String)? {
        guard let resolved = realpath(wanted, nil) else { return nil }
        defer { free(resolved) }
        let directory = String(cString: resolved)
        let name = path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
        return (directory == "/" ? "/" + name : directory + "/" + name, directory)
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
