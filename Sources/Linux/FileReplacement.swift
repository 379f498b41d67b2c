// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// Replaces files whole: whoever opens one sees the old or the new content, never a part, however the machine stops.
package enum FileReplacement {
    /// Writes `bytes` in place of the file that `path` names, or leads to by links. The file keeps its mode; a new one is private
    /// unless `mode` says otherwise.
    package static func write(_ path: String, _ bytes: [UInt8], mode: UInt32 = 0o600) throws(SystemError) {
        let place = resolved(path)
        try put(place, mode: FileReading.mode(place) ?? mode, as: { $0 }) { new throws(SystemError) in
            try FileReading.create(new, bytes)
            return true
        }
    }

    /// Puts a file that `make` makes, beside `place` and where it is told, into that place. False, as `make` says itself: nothing has
    /// changed. `failure`: how a system call's error is told.
    @discardableResult
    static func put<Failure: Error>(
        _ place: String, mode: mode_t, as failure: (SystemError) -> Failure,
        _ make: (_ new: String) throws(Failure) -> Bool
    ) throws(Failure) -> Bool {
        func check(_ call: String, _ path: String, _ result: Int32) throws(Failure) {
            if result < 0 { throw failure(SystemError(call, code: errno, subject: path)) }
        }
        let new = "\(place).new-\(getpid())"
        unlink(new)
        do throws(Failure) {
            guard try make(new) else {
                unlink(new)
                return false
            }
            try check("chmod", new, chmod(new, mode))
            do throws(SystemError) { try synchronize(new) } catch { throw failure(error) }
            try check("rename", place, rename(new, place))
        } catch {
            unlink(new)
            throw error
        }
        do throws(SystemError) { try synchronize(PrivateDirectory.parent(of: place)) } catch { throw failure(error) }
        return true
    }

    /// Of a file, or of a directory whose entries have changed.
    static func synchronize(_ path: String) throws(SystemError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError("open", code: errno, subject: path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw SystemError("fsync", code: errno, subject: path) }
    }

    private static func resolved(_ path: String) -> String {
        guard let found = realpath(path, nil) else { return path }
        defer { free(found) }
        return String(cString: found)
    }
}
