// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// The content of a file that only its owner may read, such as a key; refused, as ssh does, if others could read or
/// replace it. The directories on the way to it are not judged: whoever can swap the file cannot make it ours.
package struct PrivateFile: Sendable {
    /// As read; the caller wipes it.
    package let bytes: [UInt8]
    package let identity: FileIdentity

    /// A key has some hundred bytes; a service account's JSON has 3 KiB.
    package static let limit = 64 << 10
    /// The kernel gives up after 40 links; nobody keeps a key behind more than a few.
    static let maxLinks = 8

    /// Reads `path`. Symbolic links are followed only while each is owned by us or root.
    /// `allowGroup`: a group may read it. Only for $CREDENTIALS_DIRECTORY: there an access list for the service's
    /// user shows as group bits.
    package static func read(_ path: String, allowGroup: Bool = false) throws(PrivateFileError) -> PrivateFile {
        let file = try openOwned(path)
        let status = try check(file, path, allowGroup: allowGroup)
        // The file may grow between fstat and read: one byte more than allowed shows it.
        var failure: Int32 = 0
        var bytes = [UInt8](unsafeUninitializedCapacity: Int(status.identity.size) + 1) { buffer, count in
            while count < buffer.count {
                let got = Glibc.read(file.raw, buffer.baseAddress.map { $0 + count }, buffer.count - count)
                if got < 0, errno == EINTR { continue }
                if got < 0 { failure = errno }
                if got <= 0 { break }
                count += got
            }
        }
        if failure != 0 || bytes.count != Int(status.identity.size) {
            for index in bytes.indices { bytes[index] = 0 }
            if failure != 0 { throw .system(SystemError("read", code: failure, subject: path)) }
            throw .changedWhileReading(path: path)
        }
        return PrivateFile(bytes: bytes, identity: status.identity)
    }

    /// What `read` would find now, by one stat(2): differs from a kept identity once the file was changed, replaced,
    /// or a link on the way was pointed elsewhere. nil if there is no file.
    package static func identity(of path: String) -> FileIdentity? {
        (try? FileStatus(path: path, follow: true))?.identity
    }

    private static func check(
        _ file: borrowing OwnedDescriptor, _ path: String, allowGroup: Bool
    ) throws(PrivateFileError) -> FileStatus {
        let status: FileStatus
        do { status = try FileStatus(descriptor: file.raw, path: path) } catch { throw .system(error) }
        guard status.isRegularFile else { throw .notARegularFile(path: path) }
        guard status.isOwnedByUsOrRoot else { throw .foreignOwner(path: path, uid: status.owner) }
        let forbidden: UInt32 = allowGroup ? 0o037 : 0o077
        guard status.permissions & forbidden == 0 else {
            throw .openToOthers(path: path, mode: status.permissions, allowGroup: allowGroup)
        }
        guard status.identity.size <= limit else { throw .tooLarge(path: path, size: status.identity.size) }
        return status
    }

    /// Walks the links one at a time, each looked at through the descriptor that is then followed, so that none can be
    /// swapped between the look and the step. Non-blocking: a FIFO must not hold us.
    private static func openOwned(_ path: String) throws(PrivateFileError) -> OwnedDescriptor {
        var current = path
        for _ in 0..<maxLinks {
            let raw = open(current, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
            if raw >= 0 { return OwnedDescriptor(raw) }
            let code = errno
            if code == ENOENT { throw .missing(path: path) }
            guard code == ELOOP else { throw .system(SystemError("open", code: code, subject: current)) }
            let entry = open(current, OwnedDescriptor.pathOnly | O_NOFOLLOW | O_CLOEXEC)
            guard entry >= 0 else { throw .system(SystemError("open", code: errno, subject: current)) }
            let link = OwnedDescriptor(entry)
            let status: FileStatus
            do { status = try FileStatus(descriptor: link.raw, path: current) } catch { throw .system(error) }
            guard status.isSymbolicLink else { continue }
            guard status.isOwnedByUsOrRoot else { throw .foreignLink(path: current, uid: status.owner) }
            guard let target = ProcessFile.link("", in: link.raw) else {
                throw .system(SystemError("readlink", code: errno, subject: current))
            }
            current = target.first == "/" ? target : PrivateDirectory.parent(of: current) + "/" + target
        }
        throw .system(SystemError("open", code: ELOOP, subject: path))
    }
}
