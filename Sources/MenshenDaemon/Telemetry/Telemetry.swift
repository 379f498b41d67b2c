// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore
internal import Synchronization

/// Numbers of what is sent to receivers of telemetry, since the start.
struct TelemetryStatus: Sendable, Equatable {
    struct Lane: Sendable, Equatable {
        let signal: OTLPSignal
        let url: String
        /// Spans, or log records.
        var sent: Int64 = 0
        var lost: Int64 = 0
    }

    var lanes: [Lane] = []
    /// Requests that found the queue full.
    var dropped: Int64 = 0
    var waiting = 0
    /// Why something was lost last.
    var fault: String?
}

/// The way of settled requests to the thread that sends them on: a queue with a bound, which the requests never wait for. Without
/// a receiver there is no thread, and a request costs the look at one flag.
final class Telemetry: Sendable {
    /// Bodies of all requests that wait together; only with `capture_content`.
    private static let weightLimit = 16 << 20
    /// How long the process's end waits for what is still to be sent.
    private static let flushMicroseconds: UInt64 = 1_000_000

    /// What waits, and what goes with it.
    struct Work {
        var plan: TelemetryPlan?
        var requests: [SettledRequest] = []
        var weight = 0
        /// Taken by the thread and not sent yet.
        var held = 0
        var status = TelemetryStatus()
        /// Monotonic; nil until it is to end.
        var end: UInt64?
        var thread: NamedThread?

        var count: Int { requests.count + held }
    }

    let wake: Wake
    private let events: Events
    private let work = Mutex(Work())
    private let isOn = Atomic(false)

    init(_ events: Events) throws(SystemError) {
        self.events = events
        wake = try Wake()
    }

    // MARK: Workers

    /// After a request has ended. What finds no room is counted. Of strangers, who ask as often as they like, only what leaves
    /// most of the queue to others.
    func put(_ settlement: AuditSettlement, _ head: RequestHead, ofStranger: Bool) {
        guard isOn.load(ordering: .relaxed) else { return }
        let parent = TraceContext(head)
        let mustWake = work.withLock { work -> Bool in
            guard let plan = work.plan, work.end == nil else { return false }
            let request = SettledRequest(settlement, parent: parent, withContent: plan.capturesContent)
            let limit = ofStranger ? max(1, plan.queueLimit / 8) : plan.queueLimit
            guard work.count < limit, work.weight + request.weight <= Self.weightLimit else {
                work.status.dropped += 1
                return false
            }
            work.requests.append(request)
            work.weight += request.weight
            // The first sets the time when all go out, the last of a batch makes that time now.
            return work.requests.count == 1 || work.requests.count == plan.batchLimit
        }
        if mustWake { wake.signal() }
    }

    var status: TelemetryStatus? {
        work.withLock { work in
            guard work.plan != nil else { return nil }
            var status = work.status
            status.waiting = work.count
            return status
        }
    }

    // MARK: The supervisor

    /// What waits goes the new way; without one it has a moment to go the old one.
    func go(by plan: TelemetryPlan?) {
        guard let plan else { return close() }
        let mustStart = work.withLock { work -> Bool in
            work.plan = plan
            let old = work.status.lanes
            work.status.lanes = plan.lanes.map { lane in
                old.first { $0.signal == lane.signal && $0.url == lane.url }
                    ?? TelemetryStatus.Lane(signal: lane.signal, url: lane.url)
            }
            return work.thread == nil
        }
        isOn.store(true, ordering: .relaxed)
        if mustStart {
            do {
                let thread = try NamedThread("telemetry") { [self] in
                    do { try TelemetrySender(self, events).run() } catch {
                        isOn.store(false, ordering: .relaxed)
                        events.remark("Nothing is sent to the receiver of telemetry: \(error)")
                    }
                }
                work.withLock { $0.thread = thread }
            } catch {
                isOn.store(false, ordering: .relaxed)
                events.remark("Nothing is sent to the receiver of telemetry: \(error)")
            }
        }
    }

    /// Sends what waits, within a second, and ends the thread.
    func close() {
        isOn.store(false, ordering: .relaxed)
        let thread = work.withLock { work in
            work.end = Clock.monotonic() + Self.flushMicroseconds
            return work.thread.take()
        }
        wake.signal()
        thread?.join()
        work.withLock { $0 = Work() }
    }

    // MARK: The sender

    /// Lends what waits to the sender's thread.
    func withWork<Result: Sendable>(_ body: (inout Work) -> Result) -> Result { work.withLock { body(&$0) } }
}

extension Worker {
    /// Tells of a request that has ended whoever wants to hear of each, besides the record.
    func publish(_ settlement: AuditSettlement, of exchange: Exchange) {
        events.debug(settlement.line)
        context.telemetry?.put(settlement, exchange.head, ofStranger: exchange.access.grant == nil)
    }
}
