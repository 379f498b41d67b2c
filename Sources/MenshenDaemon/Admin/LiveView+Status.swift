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
        underWay = status.open.oldest.map { UnderWay($0, now: status.monotonicMicroseconds) }
        configuration = ConfigurationRendering.text(of: snapshot.configuration)
    }
}

extension LiveView.UnderWay {
    fileprivate init(_ request: OpenRequest, now: UInt64) {
        func since(_ time: UInt64) -> Int64 { now > time ? Int64(now - time) : 0 }
        let caller = request.intent.caller
        self.init(id: request.intent.id, state: request.state, age: since(request.startedAt))
        self.caller = request.intent.tokenName ?? caller.uid.map { "uid:\($0)" }
        client = request.intent.client.client
        session = request.intent.client.session
        model = request.model
        provider = request.provider
        answering = request.firstByteAt.map(since)
        inputTokens = request.inputTokens
        leastOutput = request.leastOutput
        bytesOut = request.bytesOut
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
