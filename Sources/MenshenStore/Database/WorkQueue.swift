// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import Synchronization

/// What waits for the thread that owns something.
package protocol Backlog: Sendable {
    var urgency: WorkUrgency { get }
}

/// For what the owner's thread is woken.
package enum WorkUrgency: Comparable {
    case nothing
    /// It may gather for a moment.
    case patient
    case urgent
}

/// The way from any thread to the one that owns something: a backlog under a lock, and a semaphore that is touched only when
/// the owner sleeps. `Status` comes back the same way.
package final class WorkQueue<Content: Backlog, Status: Sendable>: Sendable {
    /// `later`: only what may gather.
    package enum Outcome { case work, later, nothing, closed }

    private enum Owner {
        case awake
        /// For a moment, after which it takes what has gathered anyway.
        case napping
        case asleep

        func isWoken(by urgency: WorkUrgency) -> Bool {
            switch self {
            case .awake: false
            case .napping: urgency == .urgent
            case .asleep: urgency > .nothing
            }
        }
    }

    private struct State {
        var content: Content
        var status: Status
        var owner = Owner.awake
        var isClosed = false
    }

    private let state: Mutex<State>
    private let signal = ThreadSignal()

    package init(_ content: Content, _ status: Status) { state = Mutex(State(content: content, status: status)) }

    // MARK: Any thread

    /// Adds to the backlog for the price of one lock and at most one wake; nil after `close`.
    package func submit<Result: Sendable>(_ add: (inout Content) -> Result) -> Result? {
        let (result, mustWake) = state.withLock { state -> (Result?, Bool) in
            if state.isClosed { return (nil, false) }
            let result = add(&state.content)
            let mustWake = state.owner.isWoken(by: state.content.urgency)
            if mustWake { state.owner = .awake }
            return (result, mustWake)
        }
        if mustWake { signal.post() }
        return result
    }

    /// What is waiting, and what the owner said last.
    package func look<Result: Sendable>(_ body: (Content, Status) -> Result) -> Result {
        state.withLock { body($0.content, $0.status) }
    }

    package var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Takes no more; the owner works off what is there.
    package func close() {
        state.withLock { $0.isClosed = true }
        signal.post()
    }

    /// Makes the owner look at the time again.
    package func wake() { signal.post() }

    // MARK: The owner's thread

    /// `exchange` takes what it wants of the backlog, best by exchanging arrays, so that their memory is used again; false if
    /// that is nothing.
    package func take(_ status: Status, _ exchange: (inout Content, _ isClosed: Bool) -> Bool) -> Outcome {
        state.withLock { state in
            state.status = status
            if exchange(&state.content, state.isClosed) { return .work }
            if state.content.urgency > .nothing { return .later }
            return state.isClosed ? .closed : .nothing
        }
    }

    /// Sleeps until something is submitted (while `napping` something urgent), the queue is closed, or `timeout`
    /// microseconds have passed. May return early.
    package func sleep(_ timeout: UInt64?, napping: Bool = false) {
        let maySleep = state.withLock { state -> Bool in
            let owner = napping ? Owner.napping : .asleep
            let maySleep = !state.isClosed && !owner.isWoken(by: state.content.urgency)
            state.owner = maySleep ? owner : .awake
            return maySleep
        }
        guard maySleep else { return }
        signal.wait(timeout)
        // After a timeout or a signal nothing else has said so.
        state.withLock { $0.owner = .awake }
    }
}
