// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import Linux
import MenshenCore
import MenshenStore
import Synchronization
import Systemd
import Testing

/// Figures, not checks. Run with MENSHEN_BENCHMARK=1 and `-c release`; optionally MENSHEN_BENCHMARK_DIRECTORY.
@Suite(.serialized, .enabled(if: getenv("MENSHEN_BENCHMARK") != nil))
struct StoreBenchmark {
    private func cpu(_ clock: clockid_t) -> Double {
        var now = timespec()
        clock_gettime(clock, &now)
        return Double(now.tv_sec) * 1e6 + Double(now.tv_nsec) / 1e3
    }

    @Test(arguments: [1, 16, 64])
    func `CPU of intent, settlement and one attempt by batch size`(_ size: Int) throws {
        let scratch = Scratch()
        let journal = FakeJournal(scratch("journal"))
        let settings = StoreSettings(
            databasePath: scratch("state/menshen.db"), journal: try JournalSocket(path: journal.path))
        let worker = StoreWorker(settings) { print($0.event.message) }
        let sink = Collector()
        var source = RequestID.Source(worker: 0, of: 1)
        let total = 40_000
        var previous: [AuditIntent] = []
        let (wall, process) = (cpu(CLOCK_MONOTONIC), cpu(CLOCK_PROCESS_CPUTIME_ID))
        for _ in 0..<(total / size) {
            // As under load: a batch settles requests of the batch before and opens new ones.
            let next = (0..<size).map { _ in intent(source.next(wallMicroseconds: Clock.wall())) }
            if size == 1 {
                worker.record([.intent(next[0])], sink)
                worker.record([.settled(settlement(next[0]))], sink)
            } else {
                worker.record(
                    previous.prefix(size / 2).map { .settled(settlement($0)) }
                        + next.prefix(size / 2).map { .intent($0) },
                    sink)
                worker.record(
                    previous.dropFirst(size / 2).map { .settled(settlement($0)) }
                        + next.dropFirst(size / 2).map { .intent($0) }, sink)
            }
            previous = next
            worker.rest()
        }
        let (wallEnd, processEnd) = (cpu(CLOCK_MONOTONIC), cpu(CLOCK_PROCESS_CPUTIME_ID))
        let count = Double(total)
        print(
            "batch \(size): \((processEnd - process) / count) µs CPU, \((wallEnd - wall) / count) µs wall per request,",
            "rows \(worker.status.recordsWritten)")
        worker.close()
    }

    @Test(arguments: [1, 16, 64], [0, 5000] as [UInt64])
    func `callers in a loop through the store`(_ callers: Int, _ delay: UInt64) throws {
        let scratch = Scratch()
        var settings = StoreSettings(databasePath: scratch("menshen.db"), journal: nil)
        settings.gatherTime = delay
        let store = try AuditStore(settings: settings) { _ in }
        let arrived = Signal()
        let sink = Collector { _ in arrived.post() }
        var source = RequestID.Source(worker: 0, of: 1)
        var open: [AuditIntent] = []
        func begin() {
            let next = intent(source.next(wallMicroseconds: Clock.wall()))
            open.append(next)
            _ = store.submit(.intent(next), to: sink)
        }
        let (wall, process) = (cpu(CLOCK_MONOTONIC), cpu(CLOCK_PROCESS_CPUTIME_ID))
        for _ in 0..<callers { begin() }
        let total = 30_000
        var done = 0
        while done < total {
            arrived.wait()
            let answered = sink.taken()
            for request in open.prefix(answered) { _ = store.submit(.settled(settlement(request)), to: nil) }
            open.removeFirst(answered)
            for _ in 0..<answered { begin() }
            done += answered
        }
        let (wallEnd, processEnd) = (cpu(CLOCK_MONOTONIC), cpu(CLOCK_PROCESS_CPUTIME_ID))
        store.close()
        print(
            "\(callers) callers, patient entries wait \(delay) µs: \((processEnd - process) / Double(done)) µs CPU,",
            "\((wallEnd - wall) / Double(done)) µs wall per request, \(done / sink.deliveries) requests per batch")
    }

    @Test(arguments: [0, 5000, 0, 5000] as [UInt64])
    func `latency from submit to receipt on an idle store`(_ delay: UInt64) throws {
        let scratch = Scratch()
        var settings = StoreSettings(databasePath: scratch("menshen.db"), journal: nil)
        settings.gatherTime = delay
        let store = try AuditStore(settings: settings) { print($0.event.message) }
        let arrived = Signal()
        let sink = Collector { _ in arrived.post() }
        var source = RequestID.Source(worker: 0, of: 1)
        var times: [Double] = []
        let process = cpu(CLOCK_PROCESS_CPUTIME_ID)
        for _ in 0..<5000 {
            let request = intent(source.next(wallMicroseconds: Clock.wall()))
            let start = cpu(CLOCK_MONOTONIC)
            _ = store.submit(.intent(request), to: sink)
            arrived.wait()
            times.append(cpu(CLOCK_MONOTONIC) - start)
            _ = store.submit(.settled(settlement(request)), to: nil)
            usleep(300)
        }
        let used = (cpu(CLOCK_PROCESS_CPUTIME_ID) - process) / 5000
        times.sort()
        print(
            "latency µs, patient entries wait \(delay): p50 \(times[2500]) p90 \(times[4500]) p99 \(times[4950]) max \(times[4999]); CPU \(used)"
        )
        store.close()
    }
}
