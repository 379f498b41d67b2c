// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// The Git repository that a directory belongs to.
package enum RepositoryRoot {
    /// Deeper than any project; a chain of directories without end would keep the search going.
    private static let depth = 64

    /// The nearest directory with a `.git`, from `directory` upwards. As Git itself does, it goes no further than the file
    /// system reaches, and believes only a `.git` of `owner`'s; nor does it go beyond `home`, or where it may not look. May
    /// wait for as long as a file system takes.
    package static func find(from directory: String, notBeyond home: String?, owner: UInt32) -> String? {
        guard directory.hasPrefix("/") else { return nil }
        var path = directory
        var device: dev_t?
        for _ in 0..<depth where path.utf8.count > 1 {
            var status = stat()
            guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else { return nil }
            if let device, status.st_dev != device { return nil }
            device = status.st_dev
            if lstat(path + "/.git", &status) == 0 {
                // A file, where it is a further worktree or part of another repository.
                let isOne = status.st_mode & S_IFMT == S_IFDIR || status.st_mode & S_IFMT == S_IFREG
                return isOne && status.st_uid == owner ? path : nil
            }
            if errno != ENOENT || path == home { return nil }
            path = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
        }
        return nil
    }

    /// The path without links in it; nil if it does not lead anywhere.
    package static func resolved(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}
