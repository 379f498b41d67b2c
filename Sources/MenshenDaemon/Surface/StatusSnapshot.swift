// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
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

/// Everything the status page shows at one moment. Holds no key.
struct StatusSnapshot {
    struct Row {
        let name: String
        let kind: String
        let baseURL: String
        let keySource: String
        let weight: Int
        let report: ProviderReport
    }

    let board: StatusBoard
    let uptimeSeconds: UInt64
    let wallMicroseconds: UInt64
    let isDraining: Bool
    let fault: String?
    let tcpFault: String?
    let connections: Int
    let store: StoreStatus
    /// nil: none is configured.
    let cache: CacheStatistics?
    let providers: [Row]
    let requests: [RequestSummary]
}

extension Worker {
    /// `reports`: those of the other workers.
    func status(_ runtime: Runtime, _ requests: [RequestSummary], _ reports: [ProviderReport]) -> StatusSnapshot {
        let snapshot = runtime.snapshot
        var own = self.reports(runtime)
        for other in reports {
            if let index = own.firstIndex(where: { $0.name == other.name }) { own[index].add(other) }
        }
        return StatusSnapshot(
            board: context.board, uptimeSeconds: (now - context.board.startedMonotonic) / 1_000_000,
            wallMicroseconds: Clock.wall(), isDraining: isDraining, fault: snapshot.fault,
            tcpFault: snapshot.tcpFault, connections: context.activity.connections,
            store: context.store.status, cache: snapshot.cache?.statistics,
            providers: zip(snapshot.routes.providers, own).map {
                StatusSnapshot.Row(
                    name: $0.name, kind: $0.kind.rawValue, baseURL: $0.baseURL.description, keySource: $0.key.summary,
                    weight: $0.weight, report: $1)
            },
            requests: requests)
    }

    func reports(_ runtime: Runtime) -> [ProviderReport] {
        zip(runtime.snapshot.routes.providers, runtime.states).enumerated().map { index, each in
            ProviderReport(each.0, each.1, keyTrouble: runtime.keys.trouble(index, each.0.key), now: now)
        }
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
