// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Linux
import MenshenStore
import Synchronization
import Testing

/// Any thread's way to the one that owns something.
@Suite struct WorkQueueTests {
    private struct Numbers: Backlog {
        var patient: [Int] = []
        var urgent: [Int] = []
        var urgency: WorkUrgency { !urgent.isEmpty ? .urgent : patient.isEmpty ? .nothing : .patient }
    }

    private let queue = WorkQueue(Numbers(), 0)

    private func elapsed(_ body: () -> Void) -> UInt64 {
        let start = Clock.monotonic()
        body()
        return Clock.monotonic() - start
    }

    /// What the owner finds, if it takes all or only the urgent.
    private func take(_ all: Bool = true) -> WorkQueue<Numbers, Int>.Outcome {
        queue.take(0) { numbers, _ in
            defer { numbers = Numbers(patient: all ? [] : numbers.patient) }
            return !numbers.urgent.isEmpty || all && !numbers.patient.isEmpty
        }
    }

    @Test func `what is submitted wakes the owner, and only what is urgent wakes it from a nap`() throws {
        #expect(queue.submit { $0.patient.append(1) } != nil)
        #expect(elapsed { queue.sleep(20_000, napping: true) } >= 15_000, "a nap goes on")
        #expect(elapsed { queue.sleep(30_000_000) } < 10_000_000, "sleep does not begin")
        #expect(take(false) == .later)
        #expect(take() == .work && take() == .nothing)
        #expect(queue.submit { $0.urgent.append(2) } != nil)
        #expect(elapsed { queue.sleep(30_000_000, napping: true) } < 10_000_000)
        #expect(take(false) == .work)
        // From another thread while the owner sleeps.
        let other = try NamedThread("other") { [queue] in _ = queue.submit { $0.patient.append(3) } }
        var outcome = take()
        while outcome == .nothing {
            queue.sleep(30_000_000)
            outcome = take()
        }
        other.join()
        #expect(outcome == .work)
    }

    @Test func `a closed queue takes nothing more, and what it has is worked off`() {
        #expect(queue.submit { $0.urgent.append(1) } != nil)
        queue.close()
        #expect(queue.submit { $0.urgent.append(2) } == nil)
        #expect(elapsed { queue.sleep(30_000_000) } < 10_000_000)
        #expect(take() == .work && take() == .closed)
    }

    @Test func `the owner's word is seen by all, and what waits as well`() {
        #expect(queue.take(7) { _, _ in false } == .nothing)
        _ = queue.submit { $0.patient.append(1) }
        #expect(queue.look { $0.patient.count + $1 } == 8)
    }
}
