// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// What providers have said of the limits of their keys, for people and programs; empty while none has.
enum HeadroomReport {
    /// One limit of one key, in words.
    struct Row {
        let provider: String
        /// "-" where a provider has one key.
        let key: String
        let limit: String
        let left: String
        let resets: String
        let age: String

        static let titles = ["PROVIDER", "KEY", "LIMIT", "LEFT", "RESETS", "SAID"]
        var cells: [String] { [provider, key, limit, left, resets, age] }
    }

    static func rows(_ status: StatusSnapshot) -> [Row] {
        status.providers.flatMap { provider in
            let keys = provider.report.keys
            return keys.indices.flatMap { index in
                keys[index].headroom.limits.map { limit in
                    Row(
                        provider: provider.name, key: keys.count > 1 ? "\(index + 1)" : "-", limit: title(limit),
                        left: left(limit), resets: resets(limit, status),
                        age: "\(duration(age(limit, status))) ago")
                }
            }
        }
    }

    private static func title(_ limit: Headroom.Limit) -> String {
        let unit = limit.unit.rawValue.split(separator: "_").joined(separator: " ")
        return limit.window.isEmpty ? unit : "\(unit), \(limit.window)"
    }

    private static func left(_ limit: Headroom.Limit) -> String {
        var parts: [String] = []
        if let used = limit.used { parts.append("\(used / 100).\(used % 100 / 10) % used") }
        switch (limit.remaining, limit.limit) {
        case (let remaining?, let limit?): parts.append("\(remaining) of \(limit)")
        case (let remaining?, nil): parts.append("\(remaining)")
        case (nil, let limit?): parts.append("? of \(limit)")
        case (nil, nil): break
        }
        if let status = limit.status, status != "allowed" { parts.append(status) }
        return parts.isEmpty ? "?" : parts.joined(separator: ", ")
    }

    private static func resets(_ limit: Headroom.Limit, _ status: StatusSnapshot) -> String {
        guard let wait = wait(limit, status) else { return "-" }
        return wait == 0 ? "has" : "in \(duration(wait))"
    }

    /// Microseconds until it begins anew; 0: it has. nil: the provider does not say.
    private static func wait(_ limit: Headroom.Limit, _ status: StatusSnapshot) -> UInt64? {
        limit.resetsAt.map { UInt64(max(0, $0 - Int64(clamping: status.wallMicroseconds))) }
    }

    /// Microseconds.
    private static func age(_ limit: Headroom.Limit, _ status: StatusSnapshot) -> UInt64 {
        status.monotonicMicroseconds > limit.saidAt ? status.monotonicMicroseconds - limit.saidAt : 0
    }

    private static func duration(_ microseconds: UInt64) -> String {
        microseconds < 1_000_000
            ? "\((microseconds + 999) / 1000) ms" : StatusPage.duration((microseconds + 999_999) / 1_000_000)
    }

    /// The value of a key's "headroom".
    static func json(_ headroom: Headroom, _ status: StatusSnapshot) -> String {
        let limits = headroom.limits.map { limit in
            JSONMember.object([
                JSONMember.text("unit", limit.unit.rawValue),
                JSONMember.text("window", limit.window.isEmpty ? nil : limit.window),
                JSONMember.number("limit", limit.limit), JSONMember.number("remaining", limit.remaining),
                JSONMember.json(
                    "utilization", limit.used.map { "\($0 / 10_000).\("\(10_000 + $0 % 10_000)".dropFirst())" }),
                JSONMember.text("status", limit.status.map { "\($0)" }),
                JSONMember.number("resets_in_ms", wait(limit, status).map { $0 / 1000 }),
                JSONMember.number("age_ms", age(limit, status) / 1000),
            ])
        }
        return "[\(limits.joined(separator: ","))]"
    }
}
