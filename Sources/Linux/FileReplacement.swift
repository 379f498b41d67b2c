// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// Replaces files whole: whoever opens one sees the old or the new content, never a part.
package enum FileReplacement {
    /// Writes `bytes` beside the file that `path` names, or leads to by links, and renames them into its place. The file keeps
    /// its mode; a new one is private.
    package static func write(_ path: String, _ bytes: [UInt8]) throws(SystemError) {
        let target = resolved(path)
        let fresh = "\(target).new-\(getpid())"
        unlink(fresh)
        do {
            try FileReading.create(fresh, bytes)
            if let mode = FileReading.mode(target) { try check(chmod(fresh, mode), "chmod", fresh) }
            let descriptor = open(fresh, O_RDONLY | O_CLOEXEC)
            try check(descriptor, "open", fresh)
            defer { close(descriptor) }
            try check(fsync(descriptor), "sync", fresh)
            try check(rename(fresh, target), "rename", fresh)
        } catch {
            unlink(fresh)
            throw error
        }
    }

    private static func check(_ result: Int32, _ verb: String, _ path: String) throws(SystemError) {
        if result < 0 { throw SystemError(verb, code: errno, subject: path) }
    }

    private static func resolved(_ path: String) -> String {
        guard let found = realpath(path, nil) else { return path }
        defer { free(found) }
        return String(cString: found)
    }
}
