// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
internal import Linux
internal import MenshenCore
internal import SQLite

/// Why a database can't be read, which SQLite does not tell: to it, most is a file that it could not open.
extension DatabaseFile {
    /// The path without symbolic links on the way, and its directory. Throws if there is nothing that this user may read.
    static func forReading(_ path: String) throws(StoreFault) -> (file: String, directory: String) {
        guard let place = canonical(path, in: try directory(of: path)) else { throw missing(path, errno) }
        let file = place.file
        var status = stat()
        guard lstat(file, &status) == 0 else { throw missing(file, errno) }
        switch status.st_mode & S_IFMT {
        case S_IFREG: break
        case S_IFLNK:
            throw StoreFault(
                reason: "\(file) is a symbolic link, which is not followed", advice: "Name the file that it leads to.")
        case S_IFDIR:
            throw StoreFault(
                reason: "\(file) is a directory", advice: "Name the file in it, as in \(file)/menshen.db.")
        default: throw StoreFault(reason: "\(file) is no regular file", advice: "Name menshen's database.")
        }
        guard faccessat(AT_FDCWD, file, R_OK, AT_EACCESS) == 0 else {
            let isOwn = status.st_uid == geteuid()
            throw StoreFault(
                reason: "this user may not read \(file), which belongs to \(isOwn ? "it" : "uid \(status.st_uid)")",
                advice: isOwn
                    ? "Run 'chmod 600 \(file)'."
                    : "Run this as that user: records are private to whom menshen runs as.")
        }
        // With a log beside it, it may be one that has just been made.
        if status.st_size == 0, !FileIdentity(file + "-wal").wasThere {
            throw StoreFault(
                reason: "\(file) is empty: no menshen has written to it yet",
                advice: "Start menshen once, or name another file with --database.")
        }
        return place
    }

    private static func missing(_ path: String, _ code: Int32) -> StoreFault {
        if code == ENOENT || code == ENOTDIR {
            return StoreFault(
                reason: "there are no records at \(path) yet", advice: "menshen makes the file when it is first used.")
        }
        return StoreFault(
            reason: "can't \(SystemError("look at", code: code, subject: path))",
            advice: code == EACCES
                ? "Run this as the user that menshen runs as, or let this one enter the directories on the way."
                : "Name another file with --database.")
    }

    /// Readers need to make files beside a database that no process has open. nil: that is not why.
    static func unreadable(in directory: String, _ error: SQLiteError) -> StoreFault? {
        guard [.readOnly, .cannotOpen].contains(error.kind), faccessat(AT_FDCWD, directory, W_OK, AT_EACCESS) != 0
        else {
            return nil
        }
        return StoreFault(
            reason:
                "this user may not write to \(directory), and while no menshen runs SQLite has to make files there to read",
            advice: "Let this user write there, copy the file to a directory where it may, or read while menshen runs.")
    }
}
