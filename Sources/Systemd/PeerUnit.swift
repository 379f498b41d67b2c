// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// The systemd unit a process runs in, read from the text of its /proc/PID/cgroup: what sd_pid_get_unit(3) and
/// sd_pid_get_user_unit(3) return, without a second look at a process that may be gone.
package struct PeerUnit: Sendable, Equatable {
    /// Unit of the system manager: "ssh.service", "session-3.scope", "user@1000.service".
    package let system: String
    /// Unit of the user's manager, if the process belongs to one.
    package let user: String?

    /// The unit that says most.
    package var name: String { user ?? system }

    /// nil if the process is in no unit that we can see: a bare container, or another cgroup namespace.
    package init?(cgroup text: String) {
        guard let path = Self.path(text) else { return nil }
        var parts = path.split(separator: "/")[...]
        guard let outer = Self.nextUnit(&parts) else { return nil }
        system = outer
        // Only below a user's manager does the next name come from systemd; elsewhere it is the unit's own affair
        // (Delegate=), such as a container that calls itself "trusted.service".
        user = outer.hasPrefix("user@") && outer.hasSuffix(".service") ? Self.nextUnit(&parts) : nil
    }

    /// The path in systemd's own hierarchy, else in the unified one. A root says nothing: "0::/" in a hybrid set-up, and
    /// the other way round in a container whose systemd uses the unified hierarchy on such a host.
    private static func path(_ text: String) -> Substring? {
        var fallback: Substring?
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3, fields[2].hasPrefix("/"), !fields[2].hasPrefix("/.."), fields[2] != "/"
            else { continue }
            if fields[1] == "name=systemd" { return fields[2] }
            if fields[0] == "0", fields[1].isEmpty { fallback = fields[2] }
        }
        return fallback
    }

    /// Skips slices, then takes one unit name.
    private static func nextUnit(_ parts: inout ArraySlice<Substring>) -> String? {
        while let part = parts.first, part.hasSuffix(".slice") { parts = parts.dropFirst() }
        guard var part = parts.popFirst() else { return nil }
        // systemd puts "_" before names that would clash with the kernel's own files.
        if part.first == "_" { part = part.dropFirst() }
        let suffixes = [".service", ".scope", ".socket", ".mount", ".swap"]
        guard suffixes.contains(where: { part.hasSuffix($0) && part.utf8.count > $0.utf8.count }) else { return nil }
        return String(part)
    }
}
