// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import MenshenPages
internal import MenshenStore

/// What the process is, as told once at start.
package struct StatusBoard: Sendable {
    let version: String
    let pid: Int32
    let configuration: String
    let database: String
    let listeners: [String]
    /// Wall and monotonic microseconds.
    let startedAt: UInt64
    let startedMonotonic: UInt64
}

/// Everything that the status tells at one moment. Holds no key.
struct StatusSnapshot {
    struct Row {
        let name: String
        let kind: String
        let baseURL: String
        let keySource: String
        let weight: Int
        /// nil: as many as it likes.
        let places: Int?
        let report: ProviderReport

        var health: LiveView.Health {
            if weight == 0 { return .off }
            let keys = report.keys
            if report.keyTrouble != nil || !keys.isEmpty && keys.allSatisfy({ $0.breaker != .closed }) {
                return .leftAlone
            }
            return keys.contains { !$0.limited.isEmpty || $0.breaker != .closed } ? .paused : .fine
        }

        /// In a few words.
        var state: String { weight == 0 ? "switched off" : report.state }
    }

    /// Which of them it has.
    enum Requests: Sendable {
        case last
        case underWay
    }

    let board: StatusBoard
    let uptimeSeconds: UInt64
    let wallMicroseconds: UInt64
    let monotonicMicroseconds: UInt64
    let isDraining: Bool
    /// When the configuration in force was read, in wall microseconds.
    let configuredAt: UInt64
    let fault: String?
    let tcpFault: String?
    /// Why tokens that were given out are refused.
    let accessFault: String?
    let connections: Int
    let store: StoreStatus
    let journal: JournalKeeping
    /// nil: none is configured.
    let cache: CacheStatistics?
    /// nil: nothing is sent.
    let telemetry: TelemetryStatus?
    let providers: [Row]
    let requests: [RequestRecord]
    let open: OpenRequests

    /// As programs are told.
    var state: String { isDraining ? "stopping" : fault == nil ? "serving" : "broken" }

    /// What is wrong, each a sentence.
    var faults: [String] {
        var faults: [String] = []
        if let fault { faults.append("The configuration is broken: \(fault)") }
        if let fault = tcpFault { faults.append("Every request over TCP is refused: \(fault)") }
        if let fault = accessFault { faults.append("Tokens that were given out are refused: \(fault)") }
        if let reason = store.degraded {
            faults.append("The database is not in use: \(reason). \(StatusReport.whereRecordsGo(self))")
        }
        return faults
    }
}

extension Worker {
    func status(_ runtime: Runtime, _ requests: [RequestRecord], _ survey: Survey) -> StatusSnapshot {
        let snapshot = runtime.snapshot
        return StatusSnapshot(
            board: context.board, uptimeSeconds: (now - context.board.startedMonotonic) / 1_000_000,
            wallMicroseconds: Clock.wall(), monotonicMicroseconds: now, isDraining: isDraining,
            configuredAt: snapshot.madeAt, fault: snapshot.fault,
            tcpFault: snapshot.tcpFault, accessFault: context.access.tokens.fault,
            connections: context.activity.connections,
            store: context.store.status, journal: context.store.journalKeeping, cache: snapshot.cache?.statistics,
            telemetry: context.telemetry?.status,
            providers: zip(snapshot.routes.providers, survey.providers).map {
                StatusSnapshot.Row(
                    name: $0.name, kind: $0.kind.rawValue, baseURL: $0.baseURL.description, keySource: $0.key.summary,
                    weight: $0.turn.weight, places: $0.maxConcurrent, report: $1)
            },
            requests: requests, open: survey.open)
    }
}

extension KeySource {
    /// Where the key comes from, in words; never the key.
    var summary: String {
        switch self {
        case .none: "none"
        case .inline: "configuration"
        case .pool(let keys): "configuration (\(keys.count) keys)"
        case .file(let path): "file \(path)"
        case .credential(let name): "credential \(name)"
        case .command(let argv, _, _): "command \(argv.first ?? "")"
        }
    }
}
