// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// Whole files that need not be private.
package enum FileReading {
    package static var notFound: Int32 { ENOENT }

    /// At most `limit` bytes; a larger file fails with EFBIG.
    package static func bytes(_ path: String, limit: Int) throws(SystemError) -> [UInt8] {
        let fd = try SystemError.check(negated(open(path, O_RDONLY | O_CLOEXEC)), "open", path)
        defer { close(fd) }
        var output: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = read(fd, &buffer, buffer.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw SystemError("read", code: errno, subject: path)
            }
            if count == 0 { return output }
            output += buffer[..<count]
            if output.count > limit { throw SystemError("read", code: EFBIG, subject: path) }
        }
    }

    /// A regular file that this user may execute.
    package static func isExecutable(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
    }

    /// User id; nil if there is no such file.
    package static func owner(_ path: String) -> UInt32? {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_uid : nil
    }

    /// Permission bits; nil if there is no such file.
    package static func mode(_ path: String) -> UInt32? {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode & 0o7777 : nil
    }

    /// Bytes that this user may still write to the file system on which `path` lies; nil if it can't be asked.
    package static func freeSpace(_ path: String) -> Int64? {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return nil }
        return Int64(
            clamping: UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize)).partialValue)
    }

    /// Writes a new private file; fails with EEXIST if there is one.
    package static func create(_ path: String, _ bytes: [UInt8]) throws(SystemError) {
        let fd = try SystemError.check(
            negated(open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)), "create", path)
        defer { close(fd) }
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { write(fd, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                throw SystemError("write", code: errno, subject: path)
            }
            done += count
        }
    }

    private static func negated(_ result: Int32) -> Int32 { result < 0 ? -errno : result }
}
