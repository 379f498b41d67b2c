// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Linux
import MenshenCore
import Synchronization
import Testing

@testable import MenshenDaemon

/// The ledger under many threads.
struct PotLedgerTests {
    private static let noon: Int64 = 1_800_000_000 - 1_800_000_000 % 86_400 + 43_200

    private static func ledger() -> PotLedger { PotLedger(wall: { noon }) { past, done in done(past) } }

    private static func snapshot() -> Snapshot { Snapshot(Configuration()) }

    /// What each of 100 threads makes of its turn.
    private static func onThreads(_ body: @escaping @Sendable (Int) -> Void) throws {
        let threads = try (0..<100).map { number in try NamedThread("caller-\(number)") { body(number) } }
        for thread in threads { thread.join() }
    }

    /// Asks until it is known what was spent.
    private static func reserve(
        _ ledger: PotLedger, _ demands: [Demand], _ amounts: Amounts, _ snapshot: Snapshot
    ) -> Hold? {
        while true {
            switch ledger.reserve(demands, amounts, snapshot) {
            case .admitted(let hold): return hold
            case .refused: return nil
            case .unknown: continue
            }
        }
    }

    @Test func `a hundred threads never reserve more than there is`() throws {
        let ledger = Self.ledger(), snapshot = Self.snapshot()
        let demands = [
            Demand(Holder(.token, "a"), [try Limit.read("1000 tokens/day"), try Limit.read("700 requests/day")]),
            Demand(.instance, [try Limit.read("900 tokens/day")]),
        ]
        let spent = Atomic<Int64>(0)
        let underWay = Atomic<Int64>(0), most = Atomic<Int64>(0)
        try Self.onThreads { number in
            for turn in 0..<50 {
                let estimate = Int64(1 + (number * 7 + turn * 3) % 20)
                let amounts = Amounts(requests: 1, inputTokens: estimate)
                guard let hold = Self.reserve(ledger, demands, amounts, snapshot) else { continue }
                let now = underWay.add(estimate, ordering: .sequentiallyConsistent).newValue
                most.max(now + spent.load(ordering: .sequentiallyConsistent), ordering: .relaxed)
                // Some cost less than expected, and some are given up.
                if turn % 5 == 0 {
                    underWay.subtract(estimate, ordering: .sequentiallyConsistent)
                    ledger.release(hold)
                } else {
                    let real = turn % 3 == 0 ? estimate / 2 : estimate
                    underWay.subtract(estimate, ordering: .sequentiallyConsistent)
                    spent.add(real, ordering: .sequentiallyConsistent)
                    _ = ledger.settle(hold, Amounts(requests: 1, inputTokens: real), snapshot.limits)
                }
            }
        }
        let states = ledger.look(demands, snapshot)
        #expect(states.map(\.reserved) == [0, 0, 0])
        #expect(states[0].spent == spent.load(ordering: .relaxed) && states[2].spent == states[0].spent)
        #expect(states[2].spent <= 900 && states[2].spent > 880)
        #expect(most.load(ordering: .relaxed) <= 900)
    }

    /// Ninety-nine cost what was expected, and one ten times as much, whichever is first.
    @Test func `the overshoot is one request's real cost above its estimate`() throws {
        for turn in 0..<20 {
            let ledger = Self.ledger(), snapshot = Self.snapshot()
            let demands = [Demand(.instance, [try Limit.read("500 tokens/day")])]
            let isTaken = Atomic<Bool>(false)
            let admitted = Atomic<Int>(0)
            try Self.onThreads { _ in
                let amounts = Amounts(requests: 1, inputTokens: 10)
                guard let hold = Self.reserve(ledger, demands, amounts, snapshot) else { return }
                admitted.add(1, ordering: .relaxed)
                let isOutlier = !isTaken.exchange(true, ordering: .sequentiallyConsistent)
                _ = ledger.settle(hold, Amounts(requests: 1, inputTokens: isOutlier ? 100 : 10), snapshot.limits)
            }
            let state = ledger.look(demands, snapshot)[0]
            #expect(state.spent <= 500 + 90, "turn \(turn): \(state.spent)")
            #expect(state.spent >= 500, "turn \(turn): \(state.spent)")
            #expect(admitted.load(ordering: .relaxed) <= 50)
        }
    }

    @Test func `a hundred threads at a concurrency of seven are seven at a time`() throws {
        let ledger = Self.ledger(), snapshot = Self.snapshot()
        let demands = [Demand(Holder(.token, "a"), [], concurrency: 7)]
        let underWay = Atomic<Int>(0), most = Atomic<Int>(0), refused = Atomic<Int>(0)
        try Self.onThreads { _ in
            for _ in 0..<200 {
                guard let hold = Self.reserve(ledger, demands, Amounts(requests: 1), snapshot) else {
                    refused.add(1, ordering: .relaxed)
                    continue
                }
                most.max(underWay.add(1, ordering: .sequentiallyConsistent).newValue, ordering: .relaxed)
                underWay.subtract(1, ordering: .sequentiallyConsistent)
                ledger.release(hold)
            }
        }
        #expect((1...7).contains(most.load(ordering: .relaxed)))
    }

    private static func past(_ time: Int64) -> PastRequest {
        PastRequest(
            time: time, token: "a", rule: nil, provider: "p", model: "m", answerModel: nil, isReplayed: false,
            usage: .reported, input: 4, output: 3, bytesIn: 0, bytesOut: 0, cost: nil)
    }

    @Test
    func `records that turn up later are charged once, to pots that were read before and by a reading that was not`()
        throws
    {
        let rows = Mutex<[PastRequest]>([])
        let readings = Mutex<[@Sendable () -> Void]>([])
        let ledger = PotLedger(wall: { Self.noon }) { ids, past, done in
            var past = past
            for _ in ids { past.add(Self.past(Self.noon - 60)) }
            past.finish()
            done(past)
        } reading: { past, done in
            // What a reading finds is what was there at its beginning.
            let found = rows.withLock { $0 }
            readings.withLock {
                $0.append {
                    var past = past
                    for row in found { past.add(row) }
                    past.finish()
                    done(past)
                }
            }
        }
        let snapshot = Self.snapshot()
        ledger.prepare(snapshot)
        let known = [Demand(.instance, [try Limit.read("100 tokens/day")])]
        let other = [Demand(Holder(.token, "a"), [try Limit.read("100 tokens/day")])]
        func spent(_ demands: [Demand]) -> [Int64?] {
            ledger.look(demands, snapshot).map { $0.isKnown ? $0.spent : nil }
        }
        func read() { while let next = readings.withLock({ $0.popLast() }) { next() } }
        _ = spent(known)
        read()
        #expect(spent(known) == [0])
        // A reading is under way, which has not seen it.
        #expect(spent(other) == [nil])
        ledger.takenOver([RequestID(microseconds: 1)])
        rows.withLock { $0.append(Self.past(Self.noon - 60)) }
        #expect(spent(known) == [7])
        read()
        #expect(spent(other) == [nil])
        read()
        #expect(spent(other) == [7] && spent(known) == [7])
    }

    @Test func `what was spent is read once for all who wait, and again after a failure`() throws {
        let readings = Atomic<Int>(0)
        let turn = Mutex<[@Sendable (PastSpending?) -> Void]>([])
        let now = Atomic<Int64>(Self.noon)
        let known = Mutex<PastSpending?>(nil)
        let ledger = PotLedger(wall: { now.load(ordering: .relaxed) }) { past, done in
            readings.add(1, ordering: .relaxed)
            known.withLock { $0 = past }
            turn.withLock { $0.append(done) }
        }
        let snapshot = Self.snapshot()
        let demands = [Demand(.instance, [try Limit.read("5 tokens/day")])]
        func isUnknown() -> Bool {
            if case .unknown = ledger.reserve(demands, Amounts(requests: 1), snapshot) { true } else { false }
        }
        for _ in 0..<3 { #expect(isUnknown()) }
        #expect(readings.load(ordering: .relaxed) == 1)
        turn.withLock { $0.removeFirst() }(nil)
        // Not at once again.
        #expect(isUnknown() && readings.load(ordering: .relaxed) == 1)
        now.add(1, ordering: .relaxed)
        #expect(isUnknown() && readings.load(ordering: .relaxed) == 2)
        turn.withLock { $0.removeFirst() }(known.withLock { $0 })
        #expect(!isUnknown())
    }
}
