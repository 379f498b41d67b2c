// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
internal import MenshenCore

/// The right to be the only menshen that writes a database: a lock on `FILE.lock`, held until released.
final class DatabaseLock {
    private let descriptor: Int32

    init(_ databasePath: String) throws(StoreFault) {
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
        descriptor = opened
    }

    deinit {
        // Closing alone would leave it to a child that another thread is about to start, until that runs its program.
        flock(descriptor, LOCK_UN)
        close(descriptor)
    }

    private static func owner(_ descriptor: Int32) -> String {
        var text = [UInt8](repeating: 0, count: 16)
        let count = pread(descriptor, &text, text.count, 0)
        guard count > 1, let pid = Int(String(decoding: text[..<(count - 1)], as: UTF8.self)) else { return "" }
        return " (process \(pid))"
    }
}
