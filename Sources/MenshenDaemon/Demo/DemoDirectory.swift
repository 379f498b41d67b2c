// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
internal import Linux

/// A Unix socket's path as the kernel wants it.
struct UnixAddress {
    let path: String

    init(_ path: String) { self.path = path }

    /// A connected stream socket, blocking.
    func connect() throws(SystemError) -> Int32 {
        try open(SOCK_STREAM, "connect") { Glibc.connect($0, $1, $2) }
    }

    /// A datagram socket of that name, non-blocking.
    func bindDatagram() throws(SystemError) -> Int32 {
        let fd = try open(SOCK_DGRAM, "bind") { Glibc.bind($0, $1, $2) }
        _ = fcntl(fd, F_SETFL, O_NONBLOCK)
        return fd
    }

    private func open(
        _ type: __socket_type, _ call: String, _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws(SystemError) -> Int32 {
        let fd = socket(AF_UNIX, Int32(type.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard fd >= 0 else { throw SystemError("socket", code: errno) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body(fd, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else {
            let code = errno
            close(fd)
            throw SystemError(call, code: code, subject: path)
        }
        return fd
    }
}

/// A private directory for one run of the demo, removed with all that is in it.
final class DemoDirectory {
    let path: String

    /// Below $XDG_RUNTIME_DIR, which is memory and ours alone; below /tmp where that is missing, or so deep that a socket's
    /// path would not fit.
    init() throws(SystemError) {
        var failure: Int32 = ENOENT
        for parent in [Environment.value("XDG_RUNTIME_DIR"), "/tmp"].compactMap(\.self) where parent.utf8.count < 64 {
            var template = Array((parent + "/menshen-demo.XXXXXX").utf8CString)
            guard mkdtemp(&template) != nil, let resolved = realpath(template, nil) else {
                failure = errno
                continue
            }
            path = String(cString: resolved)
            free(resolved)
            return
        }
        throw SystemError("mkdtemp", code: failure, subject: "/tmp/menshen-demo.XXXXXX")
    }

    func file(_ name: String) -> String { path + "/" + name }

    func remove() {
        // A directory that holds files only.
        if let directory = opendir(path) {
            while let entry = readdir(directory) {
                let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                if name != ".", name != ".." { unlink(file(name)) }
            }
            closedir(directory)
        }
        rmdir(path)
    }
}
