// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc

/// Who opened the other end of a Unix socket: the kernel's word, frozen at connect(2). One system call.
package struct PeerIdentity: Sendable, Equatable {
    /// 0 if the process is outside our pid namespace. May have been reused since: see `PeerProcess`.
    package let pid: Int32
    package let uid: UInt32
    package let gid: UInt32

    package init(pid: Int32, uid: UInt32, gid: UInt32) {
        self.pid = pid
        self.uid = uid
        self.gid = gid
    }

    /// Reads SO_PEERCRED. Only for Unix sockets: a TCP socket answers with pid 0 and uid 4294967295.
    package static func read(_ descriptor: Int32) throws(SystemError) -> PeerIdentity {
        var pid = pid_t()
        var uid = uid_t()
        var gid = gid_t()
        try SystemError.check(clinux_peer_credentials(descriptor, &pid, &uid, &gid), "getsockopt", "SO_PEERCRED")
        return PeerIdentity(pid: pid, uid: uid, gid: gid)
    }

    /// The supplementary groups of who connected, as of connect(2) as well. One system call. None where the kernel, or a
    /// sandbox in its place, has no such option.
    package static func groups(_ descriptor: Int32) throws(SystemError) -> [UInt32] {
        var capacity = 32
        while true {
            var count = Int32(0)
            let groups = [UInt32](unsafeUninitializedCapacity: capacity) { buffer, filled in
                count = clinux_peer_groups(descriptor, buffer.baseAddress, capacity)
                filled = max(0, min(Int(count), capacity))
            }
            if count == -ENOPROTOOPT || count == -EOPNOTSUPP { return [] }
            try SystemError.check(count, "getsockopt", "SO_PEERGROUPS")
            if count <= capacity { return groups }
            capacity = Int(count)
        }
    }

    /// The effective uid of this process.
    package static var ownUID: UInt32 { geteuid() }

    /// Stands for "no uid of this user namespace". It says nothing about who is calling, so no policy may match it. From
    /// /proc, read once; 65534 is the kernel's default.
    package static let overflowUID: UInt32 = {
        guard let text = ProcessFile.read("/proc/sys/kernel/overflowuid", in: AT_FDCWD) else { return 65534 }
        return UInt32(text.prefix { $0.isWholeNumber }) ?? 65534
    }()
}

extension PeerIdentity {
    /// What the kernel says of a connection to ourselves; nil if it says nothing.
    package static func ofSocketPair() -> PeerIdentity? {
        var pair: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0 else { return nil }
        defer { for descriptor in pair { close(descriptor) } }
        return try? read(pair[0])
    }
}

/// This process, as the kernel names it.
package enum ProcessIdentity {
    package static var pid: Int32 { getpid() }

    /// True if the file this process was started from is gone: a newer version has been installed.
    package static var isReplaced: Bool {
        var target = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &target, target.count)
        return count > 10 && target[..<count].suffix(10).elementsEqual(" (deleted)".utf8.map { CChar($0) })
    }
}
