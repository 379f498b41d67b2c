// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import CSystemd
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

/// Sockets inherited from systemd.
package struct Activation: Sendable, Equatable {
    package var sockets: [ActivatedSocket] = []
    /// One sentence each about what was inherited and is not used.
    package var remarks: [String] = []

    /// Takes what this process was given and removes the variables, so that children inherit neither. Call it once,
    /// before any thread starts and before anything else is opened.
    package static func take() -> Activation {
        // libsystemd's error does not say which variable is wrong.
        let given = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"].compactMap { name in
            Environment.value(name).map { "\(name)=\($0)" }
        }
        var list: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        let count = sd_listen_fds_with_names(1, &list)
        // systemd 258 sets it; older libraries leave it, and our children inherit nothing.
        _ = Environment.take("LISTEN_PIDFDID")
        var activation = Activation()
        if count < 0 {
            let fault = SystemError("sd_listen_fds", code: -count)
            activation.remarks.append("\(fault) (\(given.joined(separator: " "))); no socket is taken")
        }
        guard let list else { return activation }
        defer { free(list) }
        // As many names as descriptors, then NULL.
        for index in 0..<Int(max(count, 0)) {
            guard let name = list[index] else { break }
            let text = String(cString: name)
            activation.adopt(SD_LISTEN_FDS_START + Int32(index), text.isEmpty ? "unknown" : text)
            free(name)
        }
        return activation
    }

    package init() {}

    /// Takes one inherited descriptor if it is a socket to accept connections from; closes it if not.
    package mutating func adopt(_ descriptor: Int32, _ name: String) {
        let family = clinux_socket_family(descriptor)
        let kinds: [Int32: ActivatedSocket.Kind] = [
            Int32(CLINUX_UNIX): .unix, Int32(CLINUX_TCP4): .tcp, Int32(CLINUX_TCP6): .tcp,
        ]
        guard sd_is_socket(descriptor, 0, Int32(SOCK_STREAM.rawValue), 1) == 1, let kind = kinds[family],
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
