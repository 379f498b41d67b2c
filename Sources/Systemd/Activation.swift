// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc
internal import Linux

/// A listening socket that systemd made and handed over.
package struct ActivatedSocket: Sendable, Equatable {
    package enum Kind: Sendable, Equatable { case unix, tcp }

    /// Non-blocking, close-on-exec. Shared with systemd: close it, never shutdown(2) it.
    package let descriptor: Int32
    /// FileDescriptorName= of the socket unit; "unknown" if none was given.
    package let name: String
    package let kind: Kind
    /// A path, or "127.0.0.1:8080", or "[::1]:8080".
    package let address: String

    package init(descriptor: Int32, name: String, kind: Kind, address: String) {
        self.descriptor = descriptor
        self.name = name
        self.kind = kind
        self.address = address
    }
}

/// Sockets inherited from systemd (sd_listen_fds(3)). By hand in place of libsystemd: the protocol is three
/// variables, and reading them here lets a test pass its own and lets a malformed value be reported by name.
package struct Activation: Sendable, Equatable {
    package var sockets: [ActivatedSocket] = []
    /// One sentence each about what was inherited and is not used.
    package var remarks: [String] = []

    /// Takes what this process was given and removes the variables, so that children inherit neither. Call it once,
    /// before any thread starts and before anything else is opened.
    package static func take() -> Activation {
        let pid = Environment.take("LISTEN_PID")
        let count = Environment.take("LISTEN_FDS")
        let names = Environment.take("LISTEN_FDNAMES")
        // systemd 258 adds it; meaningless to us and to our children.
        _ = Environment.take("LISTEN_PIDFDID")
        return Activation(pid: pid, count: count, names: names, ownPID: getpid())
    }

    package init() {}

    /// `first`: the number of the first inherited descriptor, 3 by the protocol.
    package init(pid: String?, count: String?, names: String?, ownPID: Int32, first: Int32 = 3) {
        guard let count else { return }
        // Variables meant for a process that did not clean up are nobody's fault: a shell under socket activation.
        guard let pid, Int32(pid) == ownPID else {
            if let pid, Int32(pid) == nil {
                remarks.append("LISTEN_PID=\(pid) is not a process id; no socket is taken")
            }
            return
        }
        // The kernel's default hard limit of open files in this range; more is no count.
        guard let total = Int32(count), (0...524_288).contains(total) else {
            remarks.append("LISTEN_FDS=\(count) is not a number of descriptors; no socket is taken")
            return
        }
        var labels = names.map { $0.split(separator: ":", omittingEmptySubsequences: false).map(String.init) } ?? []
        if !labels.isEmpty, labels.count != Int(total) {
            remarks.append("LISTEN_FDNAMES has \(labels.count) names for \(total) descriptors; the names are ignored")
            labels = []
        }
        for index in 0..<Int(total) {
            let name = index < labels.count && !labels[index].isEmpty ? labels[index] : "unknown"
            adopt(first + Int32(index), name)
        }
    }

    private mutating func adopt(_ descriptor: Int32, _ name: String) {
        guard clinux_set_cloexec(descriptor, 1) == 0 else {
            remarks.append("inherited descriptor \(descriptor) (\(name)) is not open")
            return
        }
        let family = clinux_socket_family(descriptor)
        let kinds: [Int32: ActivatedSocket.Kind] = [
            Int32(CLINUX_UNIX): .unix, Int32(CLINUX_TCP4): .tcp, Int32(CLINUX_TCP6): .tcp,
        ]
        guard clinux_is_listening_stream(descriptor) == 1, let kind = kinds[family],
            clinux_set_nonblocking(descriptor, 1) == 0
        else {
            // Entries of the descriptor store arrive in the same array.
            close(descriptor)
            remarks.append("inherited descriptor \(descriptor) (\(name)) is no listening stream socket; it is closed")
            return
        }
        let address = Self.address(of: descriptor, bracketed: family == CLINUX_TCP6)
        sockets.append(ActivatedSocket(descriptor: descriptor, name: name, kind: kind, address: address))
    }

    private static func address(of descriptor: Int32, bracketed: Bool) -> String {
        var port: UInt16 = 0
        var text = [CChar](repeating: 0, count: 128)
        guard clinux_socket_address(descriptor, 0, &text, text.count, &port) == 0 else { return "" }
        let host = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        if port == 0 { return host }
        return bracketed ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
