// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenPages
internal import MenshenStore

/// The exchanges of one worker that wait for something which comes to the worker, not to them: the end of the turn, a
/// receipt, a key, a place, the cache, another exchange's answer, what a page is made of. Whatever comes is asked for here by
/// name, and an exchange that has left is not found.
struct WaitingRoom<Waiter: AnyObject> {
    private var turns: [Waiter] = []
    private var gifts: [(waiter: Waiter, answer: CachedAnswer)] = []
    private var receipts: [RequestID: Waiter] = [:]
    private var lookups: [RequestID: Waiter] = [:]
    private var keys: [Int: [Waiter]] = [:]
    private var places: [RequestID: Waiter] = [:]
    private var followers: [RequestID: Waiter] = [:]
    private var pages: [RequestID: PendingPage] = [:]
    private var acts: [RequestID: PendingAct] = [:]
    private var drawings: [RequestID: (PageAnswer) -> Void] = [:]

    // MARK: The end of the turn

    /// Something is to be done before the turn may end.
    var hasWork: Bool { !turns.isEmpty || !gifts.isEmpty }

    mutating func awaitTurn(_ waiter: Waiter) { turns.append(waiter) }

    /// Those who wait for the end of the turn.
    mutating func takeTurns() -> [Waiter] {
        if turns.isEmpty { return [] }
        defer { turns = [] }
        return turns
    }

    /// One of those who get an answer that was brought for another.
    mutating func takeGift() -> (waiter: Waiter, answer: CachedAnswer)? { gifts.popLast() }

    // MARK: Receipts of the store

    mutating func awaitReceipt(_ waiter: Waiter, _ id: RequestID) { receipts[id] = waiter }

    mutating func takeReceipt(_ id: RequestID) -> Waiter? { receipts.removeValue(forKey: id) }

    // MARK: Keys

    mutating func awaitKey(_ waiter: Waiter, of provider: Int) { keys[provider, default: []].append(waiter) }

    mutating func takeKey(of provider: Int) -> [Waiter] { keys.removeValue(forKey: provider) ?? [] }

    /// All who wait for a key: where it was to come from has changed.
    mutating func takeKeys() -> [Waiter] {
        defer { keys = [:] }
        return Array(keys.values.joined())
    }

    // MARK: Places

    mutating func awaitPlace(_ waiter: Waiter, _ id: RequestID) { places[id] = waiter }

    /// Who waits for a place; it goes on waiting until it has heard what it wants to hear.
    func waitsForPlace(_ id: RequestID) -> Waiter? { places[id] }

    mutating func endWaiting(_ id: RequestID) { places[id] = nil }

    // MARK: The cache

    mutating func awaitLookup(_ waiter: Waiter, _ id: RequestID) { lookups[id] = waiter }

    mutating func takeLookup(_ id: RequestID) -> Waiter? { lookups.removeValue(forKey: id) }

    /// A request for the same is under way, and the waiter hears of its end.
    mutating func awaitFlight(_ waiter: Waiter, _ id: RequestID) { followers[id] = waiter }

    /// `answer`: what the other brought, if that may be given to others.
    mutating func flightEnded(_ id: RequestID, _ answer: CachedAnswer?) {
        guard let follower = followers.removeValue(forKey: id) else { return }
        if let answer { gifts.append((follower, answer)) } else { turns.append(follower) }
    }

    mutating func leaveFlight(_ id: RequestID) {
        if !followers.isEmpty { followers[id] = nil }
    }

    // MARK: Pages

    /// The page, if it waits for nothing.
    mutating func awaitPage(_ page: PendingPage, _ id: RequestID) -> PendingPage? {
        pages[id] = page
        return takePage(id)
    }

    /// The page, once this was the last it waited for.
    mutating func rowsCame(_ rows: [RequestRecord], _ id: RequestID) -> PendingPage? {
        pages[id]?.rows = rows
        return takePage(id)
    }

    mutating func surveyCame(_ survey: Survey, _ id: RequestID) -> PendingPage? {
        pages[id]?.missing -= 1
        pages[id]?.survey.merge(survey)
        return takePage(id)
    }

    private mutating func takePage(_ id: RequestID) -> PendingPage? {
        guard let page = pages[id], page.rows != nil, page.missing == 0 else { return nil }
        pages[id] = nil
        return page
    }

    /// A page of the dashboard is being made, to be handed to `body`.
    mutating func awaitDrawing(_ body: @escaping (PageAnswer) -> Void, _ id: RequestID) { drawings[id] = body }

    mutating func takeDrawing(_ id: RequestID) -> ((PageAnswer) -> Void)? { drawings.removeValue(forKey: id) }

    // MARK: Acts of administrators

    mutating func awaitAct(_ act: PendingAct, _ id: RequestID) { acts[id] = act }

    /// The act, once nobody is missing who has to know of it.
    mutating func actCame(
        _ outcome: Result<TokenOutcome, Problem>, missing: Int, _ id: RequestID
    ) -> PendingAct? {
        acts[id]?.outcome = outcome
        acts[id]?.missing = missing
        return takeAct(id)
    }

    mutating func tokensTaken(_ id: RequestID) -> PendingAct? {
        acts[id]?.missing -= 1
        return takeAct(id)
    }

    private mutating func takeAct(_ id: RequestID) -> PendingAct? {
        guard let act = acts[id], act.outcome != nil, act.missing == 0 else { return nil }
        acts[id] = nil
        return act
    }

    // MARK: Leaving

    /// It waits for nothing any more. Its place and its flight, if it has one, are given up apart.
    mutating func leave(_ waiter: Waiter, _ id: RequestID) {
        receipts[id] = nil
        pages[id] = nil
        acts[id] = nil
        drawings[id] = nil
        lookups[id] = nil
        places[id] = nil
        followers[id] = nil
        for provider in keys.keys { keys[provider]?.removeAll { $0 === waiter } }
    }
}

/// A page of menshen's own that waits for what it is made of.
struct PendingPage {
    /// Workers that have not told yet what they know.
    var missing: Int
    var survey: Survey
    var rows: [RequestRecord]?
    let body: ([RequestRecord], Survey) -> Void
}

/// An administrator's act that was asked for, until every worker goes by it.
struct PendingAct {
    /// Workers that have not said that they do.
    var missing = 0
    var outcome: Result<TokenOutcome, Problem>?
    let body: (Result<TokenOutcome, Problem>) -> Void

    init(body: @escaping (Result<TokenOutcome, Problem>) -> Void) { self.body = body }

    func finish() { if let outcome { body(outcome) } }
}
