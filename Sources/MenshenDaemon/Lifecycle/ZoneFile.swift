// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
package import MenshenCore

/// Finds the rules of a time zone in the system's files.
package enum ZoneFile {
    /// The largest of the system's has 4 KiB.
    private static let limit = 64 << 10

    /// nil if there is no such zone. `name`: as `limits.timezone` has it.
    package static func rules(_ name: String) -> ZoneRules? {
        switch name {
        case "UTC": return .utc
        case "local": return local
        default: return named(name)
        }
    }

    /// Of TZ, else of /etc/localtime; a system without that file has UTC.
    private static var local: ZoneRules? {
        guard var zone = Environment.value("TZ"), !zone.isEmpty else {
            return read("/etc/localtime", "local time") ?? .utc
        }
        if zone.hasPrefix(":") { zone.removeFirst() }
        return zone.hasPrefix("/") ? read(zone, "local time") : named(zone)
    }

    private static func named(_ name: String) -> ZoneRules? {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.allSatisfy({ !$0.isEmpty && !$0.hasPrefix(".") }) else { return nil }
        return read("\(Environment.value("TZDIR") ?? "/usr/share/zoneinfo")/\(name)", name)
    }

    private static func read(_ path: String, _ name: String) -> ZoneRules? {
        guard let bytes = try? FileReading.bytes(path, limit: limit) else { return nil }
        return ZoneRules(bytes, name: name)
    }
}
