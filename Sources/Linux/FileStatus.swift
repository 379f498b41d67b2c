// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// The parts of stat(2) that decide whether a file or directory is private.
struct FileStatus {
    let owner: UInt32
    let mode: UInt32
    let identity: FileIdentity

    var isRegularFile: Bool { mode & UInt32(S_IFMT) == UInt32(S_IFREG) }
    var isSymbolicLink: Bool { mode & UInt32(S_IFMT) == UInt32(S_IFLNK) }
    var isSocket: Bool { mode & UInt32(S_IFMT) == UInt32(S_IFSOCK) }
    var permissions: UInt32 { mode & 0o7777 }
    /// Root is trusted everywhere: it can read all of this process anyway.
    var isOwnedByUsOrRoot: Bool { owner == geteuid() || owner == 0 }

    init(descriptor: Int32, path: String) throws(SystemError) {
        var status = stat()
        if fstat(descriptor, &status) < 0 { throw SystemError("fstat", code: errno, subject: path) }
        self.init(status)
    }

    /// nil if the path does not lead to anything. `follow`: look at the target of a symbolic link.
    init?(path: String, follow: Bool) throws(SystemError) {
        var status = stat()
        if fstatat(AT_FDCWD, path, &status, follow ? 0 : AT_SYMLINK_NOFOLLOW) < 0 {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw SystemError("stat", code: errno, subject: path)
        }
        self.init(status)
    }

    private init(_ status: stat) {
        owner = status.st_uid
        mode = status.st_mode
        identity = FileIdentity(
            device: UInt64(status.st_dev), inode: UInt64(status.st_ino), size: Int64(status.st_size),
            modifiedNanoseconds: Self.nanoseconds(status.st_mtim), changedNanoseconds: Self.nanoseconds(status.st_ctim))
    }
}

extension FileStatus {
    private static func nanoseconds(_ time: timespec) -> Int64 {
        Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

/// Tells whether a path still leads to the same, unchanged file.
package struct FileIdentity: Sendable, Equatable {
    package let device: UInt64
    package let inode: UInt64
    package let size: Int64
    package let modifiedNanoseconds: Int64
    /// Of its mode and owner, too.
    package let changedNanoseconds: Int64
}
