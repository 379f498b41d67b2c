// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import MenshenStore
internal import Synchronization

/// The pots of all limits: one for the process, whatever number of workers there is. A worker holds its lock for some
/// dictionary look-ups and additions, and never while anything is read; see decision 0026.
final class PotLedger: Sendable {
    /// Reads what was spent before, on another thread; nil: it can't be read now.
    typealias Reading = @Sendable (PastSpending, _ done: @escaping @Sendable (PastSpending?) -> Void) -> Void

    /// Reads these requests of before.
    typealias Finding =
        @Sendable (
            [RequestID], PastSpending, _ done: @escaping @Sendable (PastSpending) -> Void
        ) -> Void

    private struct State {
        var table = PotTable()
        var isReading = false
        /// Records have turned up meanwhile, which the reading may have missed.
        var isStale = false
        /// Of the last configuration.
        var past: (ownRule: OwnRule, price: SpendingPrice)?
        /// Not read again before. Seconds since 1970.
        var readAt = Int64.min
    }

    private let state = Mutex(State())
    private let reading: Reading
    private let finding: Finding
    private let wall: @Sendable () -> Int64

    /// `wall`: seconds since 1970.
    init(
        wall: @escaping @Sendable () -> Int64, finding: @escaping Finding = { _, _, _ in }, reading: @escaping Reading
    ) {
        self.wall = wall
        self.reading = reading
        self.finding = finding
    }

    convenience init(_ store: AuditStore) {
        self.init(wall: { Int64(Clock.wall() / 1_000_000) }) { ids, past, done in
            store.ask { reader throws(StoreFault) in
                var past = past
                try reader.pastRequests(ids) { past.add($0) }
                past.finish()
                done(past)
            } fail: {
            }
        } reading: { past, done in
            store.ask { reader throws(StoreFault) in
                var past = past
                try reader.pastRequests(since: past.begin) { past.add($0) }
                past.finish()
                done(past)
            } fail: {
                done(nil)
            }
        }
        store.takenOver.listen { [weak self] in self?.takenOver($0) }
    }

    // MARK: Requests

    /// Reserves in all pots or in none.
    func reserve(_ demands: [Demand], _ wanted: Amounts, _ snapshot: Snapshot) -> PotTable.Outcome {
        let now = wall()
        let limits = snapshot.limits
        let outcome = state.withLock {
            $0.table.reserve(demands, wanted, notify: limits.settings.notify, at: now, limits.zone)
        }
        if case .unknown = outcome { read(snapshot, now) }
        return outcome
    }

    /// Reserves more for a request under way; or why it has to end.
    func extend(_ hold: inout Hold, _ more: Amounts, _ limits: LimitTable) -> LimitRefusal? {
        let now = wall()
        var extended = hold
        let refusal = state.withLock {
            $0.table.extend(&extended, more, cutsAll: limits.settings.cut, at: now, limits.zone)
        }
        hold = extended
        return refusal
    }

    func settle(_ hold: Hold, _ spent: Amounts, _ limits: LimitTable) -> [LimitNotice] {
        let now = wall()
        return state.withLock {
            $0.table.settle(hold, spent, notify: limits.settings.notify, at: now, limits.zone)
        }
    }

    func release(_ hold: Hold) { state.withLock { $0.table.release(hold) } }

    func answered(_ demands: [Demand], isError: Bool, _ limits: LimitTable) {
        let now = wall()
        state.withLock { $0.table.answered(demands, isError: isError, pause: limits.errorPause, at: now) }
    }

    func learn(_ provider: String, _ model: String, output: Int64) {
        state.withLock { $0.table.learn(provider, model, output: output) }
    }

    func usualOutput(_ provider: String, _ model: String) -> Int64? {
        state.withLock { $0.table.usualOutput(provider, model) }
    }

    /// What is not known is read for whoever looks again.
    func look(_ demands: [Demand], _ snapshot: Snapshot) -> [PotState] {
        let now = wall()
        let zone = snapshot.limits.zone
        let states = state.withLock { state in demands.flatMap { state.table.state($0, at: now, zone) } }
        if !states.allSatisfy(\.isKnown) { read(snapshot, now) }
        return states
    }

    // MARK: The past

    /// Reads what was spent in the pots that the configuration names, before the first request wants to know.
    func prepare(_ snapshot: Snapshot) {
        state.withLock { $0.past = (snapshot.ownRule, snapshot.price) }
        let demands = snapshot.limits.all
        if !demands.isEmpty { _ = look(demands, snapshot) }
    }

    /// One reading at a time; a pot that is made meanwhile waits for the next.
    private func read(_ snapshot: Snapshot, _ now: Int64) {
        let unknown = state.withLock { state -> [PotKey: Pot]? in
            if state.isReading || now < state.readAt { return nil }
            let unknown = state.table.unknown
            if unknown.isEmpty { return nil }
            state.isReading = true
            return unknown
        }
        guard let unknown else { return }
        reading(PastSpending(unknown, ownRule: snapshot.ownRule, price: snapshot.price)) { [self] past in
            state.withLock { state in
                state.isReading = false
                if let past, !state.isStale {
                    state.table.fill(past)
                } else {
                    state.readAt = past == nil ? now + 1 : now
                }
                state.isStale = false
            }
        }
    }

    /// Requests of an earlier process get their rows only now: pots whose past was read before are charged with them.
    func takenOver(_ ids: [RequestID]) {
        let past = state.withLock { state -> PastSpending? in
            state.isStale = state.isReading
            let known = state.table.known
            guard !known.isEmpty, let past = state.past else { return nil }
            return PastSpending(known, keepsCharges: true, ownRule: past.ownRule, price: past.price)
        }
        guard let past else { return }
        finding(ids, past) { [self] past in state.withLock { $0.table.charge(past) } }
    }
}

extension Snapshot {
    /// By the rules of now. A record has no groups: they are those that the account has.
    var ownRule: OwnRule {
        if policy.isEmpty { return { _ in nil } }
        let accounts = policy.rules.contains { !$0.groups.isEmpty } ? SharedAccounts() : nil
        return { [policy] caller in
            let account = caller.uid.flatMap { accounts?[$0] }
            let known = CallerRecord(
                uid: caller.uid, pid: nil, gid: account?.gid, groups: account?.groups ?? [],
                executable: caller.executable, unit: caller.unit, job: caller.job, project: caller.project,
                address: caller.address)
            return policy.first(for: known, token: nil)?.name
        }
    }

    /// What a request may cost, by the list prices.
    var price: SpendingPrice {
        let book = SharedPriceBook(PriceBook(configuration.prices))
        let names = Dictionary(uniqueKeysWithValues: configuration.providers.map { ($0.name, $0.prices) })
        let isCeiling = limits.settings.unpriced == .ceiling
        return { provider, model, input, output in
            guard let seller = names[provider] ?? nil else { return nil }
            return book.state.withLock {
                $0.estimate(seller, model, input, output)
                    ?? (isCeiling ? $0.ceiling(provider: seller, input: input, output: output) : nil)
            }
        }
    }
}

/// Looked up once for a reading of the past: a directory service may take its time.
private final class SharedAccounts: Sendable {
    private let known = Mutex<[UInt32: Accounts.User?]>([:])

    subscript(uid: UInt32) -> Accounts.User? {
        known.withLock { known in
            if let user = known[uid] { return user }
            let user = try? Accounts.user(uid)
            known[uid] = .some(user)
            return user
        }
    }
}

/// Made for one reading of the past, on whatever thread that runs.
private final class SharedPriceBook: Sendable {
    let state: Mutex<PriceBook>

    init(_ book: sending PriceBook) { state = Mutex(book) }
}

extension PriceBook {
    /// What so many tokens cost now. `provider`: the price provider.
    func estimate(_ provider: String?, _ model: String?, _ input: Int64, _ output: Int64) -> Money? {
        var usage = Usage()
        usage.inputTotal = input
        usage.inputUncached = input
        usage.outputTotal = output
        func price(_ usage: Usage) -> Money? {
            cost(
                provider: provider, answerModel: nil, askedModel: model,
                facts: PricedFacts(usage: usage, usageState: .reported), at: Int64(Clock.wall() / 1_000_000)
            ).amount
        }
        if let price = price(usage) { return price }
        // It may be sound that is paid for, whose length nobody knows before.
        usage.seconds = 60
        return price(usage)
    }
}
