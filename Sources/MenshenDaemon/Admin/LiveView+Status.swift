// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import MenshenPages
internal import MenshenStore

/// The state of the process as pages show it.
extension LiveView {
    init(_ status: StatusSnapshot, _ snapshot: Snapshot) {
        self.init(
            version: status.board.version, host: HostName.own,
            startedAt: Int64(status.board.startedAt / 1_000_000), configurationPath: status.board.configuration,
            databasePath: status.board.database)
        isDraining = status.isDraining
        listeners = status.board.listeners
        recordsWritten = status.store.recordsWritten
        backlog = status.store.backlog
        faults = status.faults
        cache = status.cache
        providers = status.providers.map { Provider($0) }
        configuration = ConfigurationRendering.text(of: snapshot.configuration)
    }
}

extension LiveView.Provider {
    fileprivate init(_ row: StatusSnapshot.Row) {
        let report = row.report
        self.init(
            name: row.name, kind: row.kind, baseURL: row.baseURL, keySource: row.keySource, weight: row.weight,
            health: row.health, state: row.state, lastFailure: report.failureText, active: report.active,
            places: row.places, queued: report.queued,
            limits: report.keys.enumerated().flatMap { index, key in
                key.headroom.limits.map { LiveView.Limit($0, key: report.keys.count > 1 ? index + 1 : nil) }
            })
    }
}

extension LiveView.Limit {
    fileprivate init(_ limit: Headroom.Limit, key: Int?) {
        let unit = limit.unit.rawValue.split(separator: "_").joined(separator: " ")
        var used = limit.used.map { Double($0) / 10_000 }
        if used == nil, let whole = limit.limit, let left = limit.remaining, whole > 0 {
            used = Double(max(0, whole - left)) / Double(whole)
        }
        self.init(
            key: key, title: limit.unit == .subscription ? limit.window : unit, used: used,
            resetsAt: limit.resetsAt.map { $0 / 1_000_000 })
    }
}
