// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CSystemd
internal import Glibc

/// The systemd unit of the process at the other end of a Unix socket.
package enum PeerUnit {
    /// The unit that says most: that of the user's manager if the process belongs to one, else the system's, such as
    /// "ssh.service" or "session-3.scope". nil if it is in no unit that we can see: a bare container, or another cgroup
    /// namespace. libsystemd looks the process up by its number, so the caller must know, before and after, that it is
    /// still the one that connected.
    package static func name(socket: Int32) -> String? {
        unit { sd_peer_get_user_unit(socket, $0) } ?? unit { sd_peer_get_unit(socket, $0) }
    }

    private static func unit(_ get: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Int32) -> String? {
        var text: UnsafeMutablePointer<CChar>?
        guard get(&text) >= 0, let text else { return nil }
        defer { free(text) }
        return String(cString: text)
    }
}
