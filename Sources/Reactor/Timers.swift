// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Told when a timer it owns has run out.
package protocol TimerHandler: AnyObject {
    func timerFired(_ timer: Timer)
}

/// A deadline, owned by its handler. Whoever lets go of it cancels it first.
package final class Timer {
    package fileprivate(set) var deadline = UInt64.max
    /// Where it stands in the queue; not later than its deadline.
    fileprivate var queuedAt = UInt64.max
    fileprivate var index = -1
    fileprivate unowned let handler: any TimerHandler

    package init(_ handler: any TimerHandler) { self.handler = handler }

    package var isSet: Bool { deadline != .max }
}

/// Deadlines in a binary heap, in monotonic microseconds. A timer that moves later stays where it is and is put back
/// when its old time comes, so a stream that moves its timer at each chunk pays one store for it.
package final class TimerQueue {
    private var heap: [Timer] = []

    package init() {}

    /// The time at which `fire` is next worth calling.
    package var next: UInt64? { heap.first?.queuedAt }

    package func set(_ timer: Timer, at deadline: UInt64) {
        timer.deadline = deadline
        if timer.index < 0 {
            timer.queuedAt = deadline
            timer.index = heap.count
            heap.append(timer)
            rise(timer.index)
        } else if deadline < timer.queuedAt {
            timer.queuedAt = deadline
            rise(timer.index)
        }
    }

    package func cancel(_ timer: Timer) {
        timer.deadline = .max
        guard timer.index >= 0 else { return }
        let hole = timer.index
        let last = heap.count - 1
        swap(hole, last)
        heap.removeLast()
        timer.index = -1
        if hole < last {
            rise(hole)
            sink(hole)
        }
    }

    package func fire(at now: UInt64) {
        while let timer = heap.first, timer.queuedAt <= now {
            if timer.queuedAt < timer.deadline {
                // Moved later, perhaps to a time that is over as well: others may come before it.
                timer.queuedAt = timer.deadline
                sink(0)
            } else {
                cancel(timer)
                timer.handler.timerFired(timer)
            }
        }
    }

    private func swap(_ first: Int, _ second: Int) {
        heap.swapAt(first, second)
        heap[first].index = first
        heap[second].index = second
    }

    private func rise(_ start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            if heap[parent].queuedAt <= heap[child].queuedAt { return }
            swap(parent, child)
            child = parent
        }
    }

    private func sink(_ start: Int) {
        var parent = start
        while true {
            let left = 2 * parent + 1
            if left >= heap.count { return }
            let right = left + 1
            let child = right < heap.count && heap[right].queuedAt < heap[left].queuedAt ? right : left
            if heap[parent].queuedAt <= heap[child].queuedAt { return }
            swap(parent, child)
            parent = child
        }
    }
}
