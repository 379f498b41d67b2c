// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import Synchronization

/// The places at one provider, and the requests that wait for one, of all workers together: one count and one fair queue.
///
/// A place is free, or held, or given to a request whose worker has not heard of it yet. Whoever gives one up passes it on in
/// the same step, so none is free while a request waits. What has become of a ticket stands here until its worker asks; a
/// message only says that there is something to ask for, so one that comes late does no harm.
final class Places: Sendable {
    /// What has become of a request that waited.
    enum News: Sendable {
        /// It has a place.
        case place
        /// The queue was full, and a caller with fewer requests in it has come.
        case displaced
    }

    enum Entry: Sendable {
        case entered
        /// `displacing`: has to be told.
        case waits(displacing: Ticket?)
        case full
    }

    private struct State {
        var slots: Slots<Ticket>
        var news: [RequestID: News] = [:]

        mutating func leave() -> Ticket? {
            guard let heir = slots.leave() else { return nil }
            news[heir.id] = .place
            return heir
        }
    }

    private let state: Mutex<State>
    private let isLimited: Bool

    init(limit: Int?, maxQueued: Int) {
        isLimited = limit != nil
        state = Mutex(State(slots: Slots(limit: limit, maxQueued: maxQueued)))
    }

    var isFull: Bool { isLimited && state.withLock { $0.slots.isFull } }
    var hasWaiting: Bool { isLimited && state.withLock { $0.slots.hasWaiting } }
    /// Requests at the provider, and waiting for a place at it.
    var counts: (active: Int, queued: Int) { state.withLock { ($0.slots.active, $0.slots.queue.count) } }

    /// Takes a place. False: there is none.
    func enter() -> Bool {
        state.withLock { state in
            if state.slots.isFull { return false }
            state.slots.enter()
            return true
        }
    }

    /// Takes a place that has become free meanwhile, or waits for one.
    func enter(orWait ticket: Ticket, of caller: String) -> Entry {
        state.withLock { state in
            if !state.slots.isFull {
                state.slots.enter()
                return .entered
            }
            switch state.slots.wait(ticket, of: caller) {
            case .full: return .full
            case .admitted(let displaced):
                if let displaced { state.news[displaced.id] = .displaced }
                return .waits(displacing: displaced)
            }
        }
    }

    /// Gives a place up. Returns who has it now, and has to be told.
    func leave() -> Ticket? { state.withLock { $0.leave() } }

    /// Once for each news, by the worker of the request.
    func takeNews(of id: RequestID) -> News? { state.withLock { $0.news.removeValue(forKey: id) } }

    /// The request waits no more. Returns who has the place that it had been given meanwhile, and has to be told.
    func withdraw(_ id: RequestID) -> Ticket? {
        state.withLock { state in
            switch state.news.removeValue(forKey: id) {
            case .place: return state.leave()
            case .displaced: return nil
            case nil:
                state.slots.removeWaiting { $0.id == id }
                return nil
            }
        }
    }
}
