// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Told when a timer it owns has run out.
package protocol TimerHandler: AnyObject {
    func timerFired(_ timer: Timer)
}

/// A deadline, owned by its handler. Whoever lets go of it cancels it first.
package final class Timer {
    package fileprivate(set) var deadline = UInt64.max
    /// Where it stands in the queue; -1: nowhere.
    fileprivate var index = -1
    /// nil until the owner, which has to be whole first, has named itself.
    package unowned var handler: (any TimerHandler)?

    package init(_ handler: (any TimerHandler)? = nil) { self.handler = handler }

    package var isSet: Bool { deadline != .max }
}

/// Deadlines in a binary heap, in monotonic microseconds. A timer that moves later, or is suspended, stays where it is until
/// its old time comes, so a stream that moves its timer at each chunk, and a connection that sets and suspends its own with
/// each request, pay one store for it.
package final class TimerQueue {
    private struct Entry {
        /// Not later than the timer's deadline.
        var at: UInt64
        /// Retained as long as it stands here. Moving an entry counts no references.
        let timer: Unmanaged<Timer>
    }

    private var heap: [Entry] = []

    package init() {}

    deinit { for entry in heap { entry.timer.release() } }

    /// The time at which `fire` is next worth calling.
    package var next: UInt64? { heap.first?.at }

    package func set(_ timer: Timer, at deadline: UInt64) {
        timer.deadline = deadline
        let index = timer.index
        if index < 0 {
            heap.append(Entry(at: deadline, timer: .passRetained(timer)))
            rise(heap.count - 1)
        } else if deadline < heap[index].at {
            heap[index].at = deadline
            rise(index)
        }
    }

    /// Keeps it from firing until it is set again. For a timer whose owner will set it again soon: it stays in the queue.
    package func suspend(_ timer: Timer) { timer.deadline = .max }

    /// Keeps it from firing, and takes it out of the queue.
    package func cancel(_ timer: Timer) {
        timer.deadline = .max
        let hole = timer.index
        guard hole >= 0 else { return }
        timer.index = -1
        let last = heap.removeLast()
        if hole < heap.count {
            place(last, hole)
            rise(hole)
            sink(hole)
        }
        Unmanaged.passUnretained(timer).release()
    }

    package func fire(at now: UInt64) {
        while let first = heap.first, first.at <= now {
            let timer = first.timer.takeUnretainedValue()
            if timer.isSet, first.at < timer.deadline {
                // Moved later, perhaps to a time that is over as well: others may come before it.
                heap[0].at = timer.deadline
                sink(0)
                continue
            }
            let isDue = timer.isSet
            cancel(timer)
            if isDue { timer.handler?.timerFired(timer) }
        }
    }

    private func place(_ entry: Entry, _ index: Int) {
        heap[index] = entry
        entry.timer._withUnsafeGuaranteedRef { $0.index = index }
    }

    private func rise(_ start: Int) {
        let moving = heap[start]
        var hole = start
        while hole > 0 {
            let parent = (hole - 1) / 2
            let above = heap[parent]
            if above.at <= moving.at { break }
            place(above, hole)
            hole = parent
        }
        place(moving, hole)
    }

    private func sink(_ start: Int) {
        let moving = heap[start]
        var hole = start
        while true {
            let left = 2 * hole + 1
            if left >= heap.count { break }
            let right = left + 1
            let child = right < heap.count && heap[right].at < heap[left].at ? right : left
            let below = heap[child]
            if moving.at <= below.at { break }
            place(below, hole)
            hole = child
        }
        place(moving, hole)
    }
}
