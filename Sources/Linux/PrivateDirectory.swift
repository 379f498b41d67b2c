// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// A directory that only its owner may enter: what keeps sockets and databases apart from other users.
package enum PrivateDirectory {
    /// Creates `path` and its missing parents, each 0700 whatever the umask says, and checks what is there: a directory,
    /// ours, closed to group and others. A symbolic link is accepted if it is ours or root's, and leads to such a
    /// directory (dotfile managers make them). An existing directory is never changed.
    package static func ensure(_ path: String) throws(PrivateDirectoryError) {
        let entry: FileStatus?
        do {
            try create(path, depth: 0)
            entry = try FileStatus(path: path, follow: false)
        } catch {
            throw .system(error)
        }
        if let entry, entry.isSymbolicLink, !entry.isOwnedByUsOrRoot {
            throw .foreignLink(path: path, uid: entry.owner)
        }
        let raw = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if raw < 0, errno == ENOTDIR { throw .notADirectory(path: path) }
        guard raw >= 0 else { throw .system(SystemError("open", code: errno, subject: path)) }
        let directory = OwnedDescriptor(raw)
        let status: FileStatus
        do { status = try FileStatus(descriptor: directory.raw, path: path) } catch { throw .system(error) }
        guard status.owner == geteuid() else { throw .foreignOwner(path: path, uid: status.owner) }
        guard status.permissions & 0o077 == 0 else { throw .openToOthers(path: path, mode: status.permissions) }
    }

    /// "." for a name without a slash, "/" for a name in the root.
    package static func parent(of path: String) -> String {
        var text = path[...]
        while text.count > 1, text.last == "/" { text = text.dropLast() }
        guard let slash = text.lastIndex(of: "/") else { return "." }
        var head = text[..<slash]
        while head.last == "/" { head = head.dropLast() }
        return head.isEmpty ? "/" : String(head)
    }

    private static func create(_ path: String, depth: Int) throws(SystemError) {
        if mkdir(path, 0o700) == 0 {
            // A strict umask may have taken away bits of the owner.
            if chmod(path, 0o700) < 0 { throw SystemError("chmod", code: errno, subject: path) }
            return
        }
        let code = errno
        if code == EEXIST { return }
        let above = parent(of: path)
        guard code == ENOENT, depth < 64, above != path else { throw SystemError("mkdir", code: code, subject: path) }
        try create(above, depth: depth + 1)
        try create(path, depth: 64)
    }
}

/// Why a directory was refused; the description says what to do about it.
package enum PrivateDirectoryError: Error, Sendable, Equatable, CustomStringConvertible {
    case notADirectory(path: String)
    case foreignOwner(path: String, uid: UInt32)
    case foreignLink(path: String, uid: UInt32)
    case openToOthers(path: String, mode: UInt32)
    case system(SystemError)

    package var description: String {
        switch self {
        case .notADirectory(let path):
            "\(path) is not a directory"
        case .foreignOwner(let path, let uid):
            "\(path) belongs to uid \(uid), not to uid \(PeerIdentity.ownUID); choose a directory of your own"
        case .foreignLink(let path, let uid):
            "\(path) is a symbolic link made by uid \(uid), who can point it elsewhere; choose a directory of your own"
        case .openToOthers(let path, let mode):
            "\(path) has mode 0\(String(mode, radix: 8)), so other users can look into it; run: chmod 700 \(path), "
                + "or choose a directory of its own"
        case .system(let error):
            error.description
        }
    }
}
