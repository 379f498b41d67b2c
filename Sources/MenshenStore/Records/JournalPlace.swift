// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
internal import Linux
package import MenshenCore
internal import Systemd

extension JournalKeeping {
    /// This machine's.
    package static var own: JournalKeeping { look(socket: JournalSocket.standardPath) }

    /// journald removes its directory in memory when it begins to write to the disk. What is in it is closed to most users;
    /// that it is there is not. `root`: for tests.
    static func look(socket: String, below root: String = "") -> JournalKeeping {
        guard access(socket, F_OK) == 0 else { return .absent }
        guard let id = machineID(root) else { return .nowhere }
        if access("\(root)/run/log/journal/\(id)", F_OK) == 0 { return .volatile }
        return access("\(root)/var/log/journal/\(id)", F_OK) == 0 ? .persistent : .nowhere
    }

    private static func machineID(_ root: String) -> String? {
        guard let bytes = try? FileReading.bytes("\(root)/etc/machine-id", limit: 64) else { return nil }
        let id = String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        return id.isEmpty ? nil : id
    }
}
