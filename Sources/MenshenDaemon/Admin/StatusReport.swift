// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenStore

/// What `menshen status` prints: the same content as its JSON twin, `StatusPage`.
enum StatusReport {
    static func text(_ status: StatusSnapshot) -> String {
        var lines = [
            "menshen \(status.board.version), pid \(status.board.pid), up \(StatusPage.duration(status.uptimeSeconds)), "
                + (status.isDraining ? "stopping" : status.fault == nil ? "serving" : "no usable configuration"),
            "configuration  \(status.board.configuration)",
            "records        \(status.board.database) (\(status.store.recordsWritten) written since the start)",
            "journal        \(words(status.journal))",
            "listeners      \(status.board.listeners.joined(separator: ", "))",
            "connections    \(status.connections)",
        ]
        if let fault = status.fault { lines.append("FAULT          \(fault)") }
        if let fault = status.tcpFault { lines.append("TCP            every request is refused: \(fault)") }
        if let reason = status.store.degraded {
            lines.append("DATABASE       not in use: \(reason). \(whereRecordsGo(status))")
        }
        if let fault = status.accessFault { lines.append("TOKENS         given out are refused: \(fault)") }
        if let cache = status.cache { lines.append("cache          \(words(cache))") }
        if let telemetry = status.telemetry { lines += telemetry.lines }
        lines.append("")
        lines += TextTable.lines(
            [["PROVIDER", "KIND", "WEIGHT", "ACTIVE", "QUEUED", "STATE", "LAST FAILURE"]]
                + status.providers.map { row in
                    [
                        row.name, row.kind, "\(row.weight)", "\(row.report.active)", "\(row.report.queued)",
                        row.state, row.report.failureText ?? "-",
                    ]
                })
        let headroom = HeadroomReport.rows(status)
        if !headroom.isEmpty { lines += [""] + TextTable.lines([HeadroomReport.Row.titles] + headroom.map(\.cells)) }
        return lines.joined(separator: "\n") + "\n"
    }

    static func whereRecordsGo(_ status: StatusSnapshot) -> String {
        if status.store.hasNoDevice || status.journal == .absent {
            return "The journal takes no records either, so requests are refused."
        }
        return status.journal == .persistent
            ? "Records go to the journal." : "Records go to the journal, which is \(words(status.journal))."
    }

    static func words(_ journal: JournalKeeping) -> String {
        switch journal {
        case .persistent: "persistent"
        case .volatile: "volatile: what only the journal has is lost when the machine stops"
        case .nowhere: "without files of its own (Storage=none?): what only the journal has cannot be read back"
        case .absent: "none: while the database cannot be written, requests are refused"
        }
    }

    static func words(_ cache: CacheStatistics) -> String {
        if let reason = cache.unavailable { return "not in use: \(reason)" }
        return "\(cache.entries) answers, \(cache.bytes / 1024) KiB; since the start \(cache.hits) hits, "
            + "\(cache.misses) misses, \(cache.evictions) evicted"
    }
}
