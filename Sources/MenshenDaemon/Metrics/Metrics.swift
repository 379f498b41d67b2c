// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore
internal import MenshenStore
internal import Synchronization

/// What the process has counted and what it can see of itself, for scrapers. Any thread.
final class Metrics: Sendable {
    private struct Names {
        var models = LabelValues()
        var callers = LabelValues()
    }

    private let tallies = Mutex<[WorkerTally]>([])
    /// Asked when a worker meets a name for the first time.
    private let names = Mutex(Names())

    func makeTally() -> WorkerTally {
        let tally = WorkerTally()
        tallies.withLock { $0.append(tally) }
        return tally
    }

    func model(_ name: String, isProven: Bool, limit: Int) -> String {
        names.withLock { $0.models.value(for: name, isProven: isProven, limit: limit) }
    }

    func caller(_ name: String, limit: Int) -> String {
        names.withLock { $0.callers.value(for: name, isProven: true, limit: limit) }
    }

    /// Of all workers.
    var totals: RequestTally.Totals {
        tallies.withLock { $0 }.reduce(into: RequestTally.Totals()) { $0.add($1.totals) }
    }

    /// Under way.
    var openRequests: Int { tallies.withLock { $0 }.reduce(0) { $0 + $1.openRequests } }

    /// Everything, as it is now. `context`: any worker's.
    func text(_ format: MetricText.Format, _ snapshot: Snapshot, _ context: WorkerContext) -> [UInt8] {
        var text = MetricText(format)
        var sum = RequestTally()
        var (requests, streams) = (0, 0)
        for tally in tallies.withLock({ $0 }) {
            sum.merge(tally.value)
            requests += tally.openRequests
            streams += tally.openStreams
        }
        sum.write(to: &text, openRequests: requests, openStreams: streams)
        state(snapshot, context).write(to: &text)
        return text.end()
    }

    private func state(_ snapshot: Snapshot, _ context: WorkerContext) -> StateMetrics {
        var state = StateMetrics()
        let now = Clock.monotonic()
        state.providers = zip(snapshot.routes.providers, snapshot.commons.providers).map { provider, known in
            let report = ProviderReport(provider, known, keyTrouble: nil, now: now)
            return StateMetrics.Provider(
                name: provider.name,
                keys: report.keys.map { .init(breaker: $0.breaker, pause: $0.wait, headroom: $0.headroom) },
                inUse: report.active, places: provider.maxConcurrent, waiting: report.queued)
        }
        state.pots = context.pots.look(snapshot.limits.all, snapshot)
        state.store = store(context.store)
        state.cache = snapshot.cache?.statistics
        state.process = StateMetrics.Process(
            version: context.board.version, isWell: snapshot.fault == nil && snapshot.tcpFault == nil,
            connections: context.activity.connections, processorTime: ProcessFigures.processorTime,
            startedAt: context.board.startedAt, residentBytes: ProcessFigures.residentBytes,
            descriptors: ProcessFigures.openDescriptors)
        return state
    }

    private func store(_ store: AuditStore) -> StateMetrics.Store {
        let status = store.status
        let hasNone = status.hasNoDevice || status.degraded != nil && store.journalKeeping == .absent
        return StateMetrics.Store(
            device: hasNone ? "none" : status.degraded == nil ? "database" : "journal", backlog: status.backlog,
            awaitingDatabase: status.awaitingDatabase, written: status.recordsWritten,
            notJournalled: status.notJournalled)
    }
}

extension Worker {
    /// A request has ended, and this is its record.
    func count(_ settlement: AuditSettlement, of exchange: Exchange) {
        exchange.ledger.pulse.end(context.tally)
        guard exchange.ledger.pulse.settle() else { return }
        let limit = exchange.runtime.snapshot.configuration.server.metrics.maxNames
        let metrics = context.metrics
        context.tally.count(
            settlement, exchange.ledger.pulse.times(isStream: settlement.isStream == true),
            isKnown: exchange.access.grant != nil
        ) {
            metrics.model($0, isProven: $1, limit: limit)
        } caller: { name, _ in
            metrics.caller(name, limit: limit)
        }
    }
}

extension AdminPage {
    static let metrics = AdminPage(
        "/_menshen/metrics", access: .owners,
        [
            Action(.get) { caller, _ in
                let format: MetricText.Format =
                    caller.head.accepts("application/openmetrics-text") ? .openMetrics : .prometheus
                caller.answer(
                    page: LocalAnswer(
                        status: 200,
                        fields: [("Content-Type", format.contentType), ("Cache-Control", "no-store")],
                        body: caller.metrics(format)))
            }
        ])
}

extension Problem {
    static let onlyMetrics = Problem(
        .notFound, status: 404,
        "This address shows /_menshen/metrics and /_menshen/health only. Requests for providers go to an address of 'listen' or to the Unix socket."
    )

    static let forOwners = Problem(
        .forbiddenAdministration, status: 403,
        "A token does not show this page, which is about all callers. User and password of [auth] do, or the Unix socket, or server.metrics_listen."
    )
}
