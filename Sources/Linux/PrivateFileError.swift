// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Why a private file was refused; the description says what to do about it.
package enum PrivateFileError: Error, Sendable, Equatable, CustomStringConvertible {
    case missing(path: String)
    case notARegularFile(path: String)
    case foreignOwner(path: String, uid: UInt32)
    case foreignLink(path: String, uid: UInt32)
    case openToOthers(path: String, mode: UInt32, allowGroup: Bool)
    case tooLarge(path: String, size: Int64)
    case changedWhileReading(path: String)
    case system(SystemError)

    package var description: String {
        switch self {
        case .missing(let path):
            "\(path) does not exist"
        case .notARegularFile(let path):
            "\(path) is not a regular file"
        case .foreignOwner(let path, let uid):
            "\(path) belongs to uid \(uid), who can change it; take it over: chown \(PeerIdentity.ownUID) \(path)"
        case .foreignLink(let path, let uid):
            "\(path) is a symbolic link made by uid \(uid), who can point it elsewhere; name the file itself"
        case .openToOthers(let path, let mode, let allowGroup):
            "\(path) has mode 0\(String(mode, radix: 8)), so other users can "
                + (mode & 0o022 == 0 ? "read" : "change") + " it; run: chmod \(allowGroup ? "640" : "600") \(path)"
        case .tooLarge(let path, let size):
            "\(path) has \(size) bytes; a key file may have \(PrivateFile.limit) at most"
        case .changedWhileReading(let path):
            "\(path) changed while it was read; write a new file and rename it into place"
        case .system(let error):
            error.description
        }
    }
}
