// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// The cache's files: what is one of ours may be deleted, and nothing else is ever touched.
enum CacheFile {
    enum Content { case empty, ours, foreign }

    /// By the first page of an SQLite file (https://www.sqlite.org/fileformat.html#the_database_header).
    static func content(_ path: String) -> Content {
        let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { return .foreign }
        defer { close(descriptor) }
        var header = [UInt8](repeating: 0, count: 100)
        let count = pread(descriptor, &header, header.count, 0)
        if count == 0 { return .empty }
        guard count == header.count, header.starts(with: Array("SQLite format 3\0".utf8)) else { return .foreign }
        let owner = header[68..<72].reduce(0) { $0 << 8 | Int64($1) }
        return owner == CacheDatabase.applicationID ? .ours : .foreign
    }

    /// Must not be called while the database is open.
    static func delete(_ path: String) {
        for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
    }
}
