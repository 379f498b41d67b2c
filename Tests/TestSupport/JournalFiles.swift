// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// Real journal files in a directory, made by systemd-journal-remote, with fields of journald's own as it would set them.
package final class JournalFiles {
    package static let isPossible = access(maker, X_OK) == 0
    private static let maker = "/lib/systemd/systemd-journal-remote"

    package let directory: String
    private var count: UInt64 = 0

    package init(_ directory: String) {
        self.directory = directory
        mkdir(directory, 0o700)
    }

    /// Appends entries, each in journald's native form, to the file of that name.
    package func add(
        _ entries: [[UInt8]], uid: UInt32 = geteuid(), pid: Int32 = getpid(), to name: String = "user"
    ) throws {
        let path = "\(directory)/\(name).journal"
        guard let pipe = popen("'\(Self.maker)' --output='\(path)' - >/dev/null 2>&1", "w") else {
            throw TestFailure("popen: errno \(errno)")
        }
        for entry in entries {
            count += 1
            let head = """
                __REALTIME_TIMESTAMP=\(1_800_000_000_000_000 + count)
                __MONOTONIC_TIMESTAMP=\(1_000_000 + count)
                _BOOT_ID=00000000000040008000000000000001
                _UID=\(uid)
                _PID=\(pid)

                """
            let bytes = Array(head.utf8) + entry + [UInt8(ascii: "\n")]
            fwrite(bytes, 1, bytes.count, pipe)
        }
        guard pclose(pipe) == 0 else { throw TestFailure("systemd-journal-remote failed") }
    }
}
