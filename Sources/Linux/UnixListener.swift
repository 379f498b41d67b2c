// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc
internal import Synchronization

/// A Unix socket that this process made itself: 0600, in a directory that only its owner may enter.
/// A lock beside it (`PATH.lock`) is held from before the look at an old socket until `remove()`, so that of two
/// processes that start at once one serves and the other is told so. It goes with the process, however that ends.
package final class UnixListener: Sendable {
    /// Listening, non-blocking, close-on-exec. The caller closes it; never before `remove()`.
    package let descriptor: Int32
    package let path: String
    private let identity: FileIdentity
    private let lock: Mutex<Lock?>

    /// What systemd asks for by default; the kernel cuts it to net.core.somaxconn.
    package static let backlog: Int32 = 4096

    /// Creates the directory if it is missing. What stands at `path` stays untouched, unless it is a socket that
    /// nobody listens on any more.
    package static func bind(_ path: String, backlog: Int32 = UnixListener.backlog) throws(ListenError) -> UnixListener
    {
        guard !path.isEmpty else { throw .emptyPath }
        guard path.first != "@", !path.utf8.contains(0) else { throw .abstractPath(path: path) }
        guard path.utf8.count <= ListenError.pathLimit else {
            throw .pathTooLong(path: path, bytes: path.utf8.count)
        }
        do { try PrivateDirectory.ensure(PrivateDirectory.parent(of: path)) } catch { throw .directory(error) }
        let lock = try Lock.take(besides: path)
        do {
            try clear(path)
            let (descriptor, identity) = try listen(path, backlog)
            return UnixListener(descriptor: descriptor, path: path, identity: identity, lock: lock)
        } catch {
            lock.release()
            throw error
        }
    }

    private init(descriptor: Int32, path: String, identity: FileIdentity, lock: Lock) {
        self.descriptor = descriptor
        self.path = path
        self.identity = identity
        self.lock = Mutex(lock)
    }

    /// Takes the name away, if it is still ours, and lets the next process have it. The descriptor stays open, so that
    /// connections that wait in it can still be accepted. Call it while draining; later calls do nothing.
    package func remove() {
        let lock = lock.withLock { held in
            defer { held = nil }
            return held
        }
        guard let lock else { return }
        if let status = try? FileStatus(path: path, follow: false), status.isSocket,
            status.identity.inode == identity.inode, status.identity.device == identity.device
        {
            unlink(path)
        }
        lock.release()
    }

    /// Removes a dead socket; throws if something else is there.
    private static func clear(_ path: String) throws(ListenError) {
        let status: FileStatus?
        do { status = try FileStatus(path: path, follow: false) } catch { throw .system(error) }
        guard let status else { return }
        guard status.isSocket else { throw .notASocket(path: path) }
        let probe = clinux_connect_unix(path)
        if probe >= 0 { close(probe) }
        switch -probe {
        case ECONNREFUSED:
            if unlink(path) < 0, errno != ENOENT { throw .system(SystemError("unlink", code: errno, subject: path)) }
        case ENOENT: return
        // A full backlog, or a socket of another type, has an owner too.
        case ...0, EAGAIN, EPROTOTYPE: throw .alreadyServed(path: path)
        case let code: throw .system(SystemError("connect", code: code, subject: path))
        }
    }

    private static func listen(
        _ path: String, _ backlog: Int32
    ) throws(ListenError) -> (descriptor: Int32, identity: FileIdentity) {
        let descriptor = clinux_listen_unix(path, backlog)
        if descriptor == -EADDRINUSE { throw .alreadyServed(path: path) }
        do throws(SystemError) {
            try SystemError.check(descriptor, "bind", path)
            if let status = try FileStatus(path: path, follow: false) { return (descriptor, status.identity) }
            throw SystemError("stat", code: ENOENT, subject: path)
        } catch {
            if descriptor >= 0 { close(descriptor) }
            throw .system(error)
        }
    }
}

/// An flock(2) on `PATH.lock`.
private struct Lock: Sendable {
    let path: String
    let descriptor: Int32

    static func take(besides path: String) throws(ListenError) -> Lock {
        let name = path + ".lock"
        // The file a lock was taken on may have been removed by its last holder meanwhile: then take the new one.
        for _ in 0..<100 {
            let raw = open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
            guard raw >= 0 else { throw .system(SystemError("open", code: errno, subject: name)) }
            guard flock(raw, LOCK_EX | LOCK_NB) == 0 else {
                let code = errno
                close(raw)
                if code == EWOULDBLOCK { throw .alreadyServed(path: path) }
                throw .system(SystemError("flock", code: code, subject: name))
            }
            let held = try? FileStatus(descriptor: raw, path: name)
            let named = try? FileStatus(path: name, follow: false)
            if let held, let named, held.identity.inode == named.identity.inode {
                return Lock(path: name, descriptor: raw)
            }
            close(raw)
        }
        throw .alreadyServed(path: path)
    }

    func release() {
        unlink(path)
        close(descriptor)
    }
}
