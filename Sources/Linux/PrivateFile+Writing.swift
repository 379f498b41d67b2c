// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

extension PrivateFile {
    /// Puts `bytes` in place of a file, mode 0600, whole or not at all, however the machine stops. Links of ours on the way are
    /// followed and stay. Its directory has to be there.
    package static func write(_ path: String, _ bytes: [UInt8]) throws(PrivateFileError) {
        try replace(path) { new throws(PrivateFileError) in
            do throws(SystemError) { try FileReading.create(new, bytes) } catch { throw .system(error) }
            return true
        }
    }

    /// The same for a file that `make` makes where it is told. False, as it says itself: nothing has changed.
    @discardableResult
    package static func replace(
        _ path: String, _ make: (_ new: String) throws(PrivateFileError) -> Bool
    ) throws(PrivateFileError) -> Bool {
        try FileReplacement.put(try placeToWrite(path), mode: 0o600, as: PrivateFileError.system, make)
    }

    /// Deletes a file of ours; not a link to one, which somebody has made for a purpose.
    package static func remove(_ path: String) throws(PrivateFileError) {
        guard let status = try status(path) else { throw .missing(path: path) }
        guard status.isRegularFile else { throw .notARegularFile(path: path) }
        guard status.owner == geteuid() else { throw .foreignOwner(path: path, uid: status.owner) }
        try check("unlink", path, unlink(path))
        do throws(SystemError) {
            try FileReplacement.synchronize(PrivateDirectory.parent(of: path))
        } catch {
            throw .system(error)
        }
    }

    /// Where a file of that name really stands, or is to.
    private static func placeToWrite(_ path: String) throws(PrivateFileError) -> String {
        var current = path
        for _ in 0..<maxLinks {
            guard let status = try status(current) else { return current }
            guard status.isSymbolicLink else {
                guard status.isRegularFile else { throw .notARegularFile(path: current) }
                guard status.owner == geteuid() else { throw .foreignOwner(path: current, uid: status.owner) }
                return current
            }
            guard status.isOwnedByUsOrRoot else { throw .foreignLink(path: current, uid: status.owner) }
            var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
            let count = readlink(current, &buffer, buffer.count)
            try check("readlink", current, Int32(clamping: count))
            let target = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
            current = target.hasPrefix("/") ? target : PrivateDirectory.parent(of: current) + "/" + target
        }
        throw .system(SystemError("open", code: ELOOP, subject: path))
    }

    private static func status(_ path: String) throws(PrivateFileError) -> FileStatus? {
        do throws(SystemError) { return try FileStatus(path: path, follow: false) } catch { throw .system(error) }
    }

    private static func check(_ call: String, _ path: String, _ result: Int32) throws(PrivateFileError) {
        if result < 0 { throw .system(SystemError(call, code: errno, subject: path)) }
    }
}
