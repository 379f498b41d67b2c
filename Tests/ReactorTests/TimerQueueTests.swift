// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Reactor
import TestSupport
import Testing

@Suite struct TimerQueueTests {
    private final class Recorder: TimerHandler {
        var fired: [ObjectIdentifier] = []
        var onFire: ((Timer) -> Void)?

        func timerFired(_ timer: Timer) {
            #expect(!timer.isSet, "a timer that fires is no longer set")
            fired.append(ObjectIdentifier(timer))
            onFire?(timer)
        }
    }

    @Test func `timers fire at their deadline, the earliest first`() {
        let recorder = Recorder()
        let queue = TimerQueue()
        let timers = (0..<5).map { _ in Timer(recorder) }
        for (timer, deadline) in zip(timers, [50, 10, 40, 20, 30] as [UInt64]) { queue.set(timer, at: deadline) }
        #expect(queue.next == 10)
        queue.fire(at: 9)
        #expect(recorder.fired.isEmpty)
        queue.fire(at: 30)
        #expect(recorder.fired == [1, 3, 4].map { ObjectIdentifier(timers[$0]) })
        queue.fire(at: 1000)
        #expect(recorder.fired.count == 5 && queue.next == nil)
    }

    @Test func `a timer that moves later does not fire at its old time`() {
        let recorder = Recorder()
        let queue = TimerQueue()
        let timer = Timer(recorder)
        queue.set(timer, at: 10)
        queue.set(timer, at: 30)
        #expect(timer.deadline == 30)
        queue.fire(at: 20)
        #expect(recorder.fired.isEmpty && queue.next == 30)
        queue.set(timer, at: 25)
        #expect(queue.next == 25)
        queue.fire(at: 25)
        #expect(recorder.fired.count == 1 && !timer.isSet)
    }

    @Test func `a cancelled timer does not fire, and can be set again`() {
        let recorder = Recorder()
        let queue = TimerQueue()
        let timer = Timer(recorder)
        queue.cancel(timer)
        queue.set(timer, at: 10)
        queue.cancel(timer)
        queue.cancel(timer)
        #expect(!timer.isSet && queue.next == nil)
        queue.fire(at: 100)
        #expect(recorder.fired.isEmpty)
        queue.set(timer, at: 110)
        queue.fire(at: 110)
        #expect(recorder.fired.count == 1)
    }

    @Test func `a handler may set, move and cancel timers while it is told`() {
        let recorder = Recorder()
        let queue = TimerQueue()
        let timers = (0..<4).map { _ in Timer(recorder) }
        for (index, timer) in timers.enumerated() { queue.set(timer, at: UInt64(10 + index)) }
        var rounds = 0
        recorder.onFire = { timer in
            if timer === timers[0] {
                queue.cancel(timers[1])
                queue.set(timers[2], at: 50)
                rounds += 1
                if rounds < 3 { queue.set(timer, at: UInt64(10 + rounds)) }
            }
        }
        queue.fire(at: 20)
        // 0 three times, since it was set again to times that are over; 1 was cancelled, 2 moved away.
        #expect(recorder.fired == [0, 0, 0, 3].map { ObjectIdentifier(timers[$0]) })
        queue.fire(at: 50)
        #expect(recorder.fired.last == ObjectIdentifier(timers[2]))
        #expect(queue.next == nil)
    }

    @Test func `a suspended timer does not fire, stays in the queue and leaves it when its time comes`() {
        let recorder = Recorder()
        let queue = TimerQueue()
        let timer = Timer(recorder)
        queue.suspend(timer)
        #expect(queue.next == nil)
        queue.set(timer, at: 10)
        queue.suspend(timer)
        #expect(!timer.isSet && queue.next == 10)
        queue.set(timer, at: 30)
        #expect(timer.deadline == 30 && queue.next == 10, "it costs no more than a store")
        queue.fire(at: 20)
        #expect(recorder.fired.isEmpty && queue.next == 30)
        queue.suspend(timer)
        queue.fire(at: 30)
        #expect(recorder.fired.isEmpty && queue.next == nil)
        queue.set(timer, at: 40)
        queue.suspend(timer)
        queue.cancel(timer)
        #expect(queue.next == nil)
    }

    @Test func `the queue holds its timers, and no longer than they stand in it`() {
        let recorder = Recorder()
        weak var fired: Timer?
        weak var cancelled: Timer?
        weak var standing: Timer?
        do {
            let queue = TimerQueue()
            do {
                let timers = (0..<3).map { _ in Timer(recorder) }
                (fired, cancelled, standing) = (timers[0], timers[1], timers[2])
                for (timer, deadline) in zip(timers, [10, 20, 30] as [UInt64]) { queue.set(timer, at: deadline) }
                queue.cancel(timers[1])
            }
            #expect(cancelled == nil && fired != nil && standing != nil)
            queue.fire(at: 10)
            #expect(fired == nil && standing != nil)
        }
        #expect(standing == nil && recorder.fired.count == 1)
    }

    @Test(arguments: [false, true])
    func `random operations fire what a sorted list would`(suspends: Bool) {
        let seed = UInt64.random(in: .min ... .max)
        print("timers against a sorted list, suspended ones \(suspends): seed \(seed)")
        var random = SeededGenerator(state: seed)
        let recorder = Recorder()
        let queue = TimerQueue()
        let timers = (0..<60).map { _ in Timer(recorder) }
        /// The deadline of each timer that is set.
        var model: [Int: UInt64] = [:]
        var now: UInt64 = 1000
        for step in 0..<20_000 {
            let index = Int.random(in: 0..<timers.count, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<6:
                let deadline = now + UInt64.random(in: 0...200, using: &random)
                queue.set(timers[index], at: deadline)
                model[index] = deadline
            case 6, 7:
                if suspends, Bool.random(using: &random) {
                    queue.suspend(timers[index])
                } else {
                    queue.cancel(timers[index])
                }
                model[index] = nil
            default:
                now += UInt64.random(in: 0...40, using: &random)
                recorder.fired = []
                queue.fire(at: now)
                let due = model.filter { $0.value <= now }
                let fired = recorder.fired.compactMap { id in timers.firstIndex { ObjectIdentifier($0) == id } }
                guard Set(fired) == Set(due.keys), fired.count == due.count, queue.next.map({ $0 > now }) != false
                else {
                    Issue.record("seed \(seed), step \(step): fired \(fired), due \(due)")
                    return
                }
                let deadlines = fired.compactMap { due[$0] }
                #expect(deadlines == deadlines.sorted(), "seed \(seed), step \(step): out of order")
                for index in fired { model[index] = nil }
            }
            guard timers[index].isSet == (model[index] != nil), timers[index].deadline == model[index] ?? .max else {
                Issue.record("seed \(seed), step \(step): timer \(index) forgot its deadline")
                return
            }
            // The loop may wake too early for a timer that was moved, never too late.
            let earliest = model.values.min()
            guard earliest == nil ? suspends || queue.next == nil : queue.next.map({ $0 <= earliest ?? 0 }) == true
            else {
                Issue.record("seed \(seed), step \(step): the next time is \(String(describing: queue.next))")
                return
            }
        }
        queue.fire(at: now + 1000)
        #expect(queue.next == nil)
    }
}
