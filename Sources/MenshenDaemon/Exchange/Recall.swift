// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore
internal import MenshenStore
internal import Reactor

/// What the cache has to do with one request: the key that its answer is found by, and a stored answer on its way.
struct Recall {
    /// nil for a request that has nothing to do with the cache.
    private(set) var key: CacheKey?
    private(set) var record: CacheRecord?
    /// A stored answer on its way to the caller.
    private(set) var replay: Replay?
    /// Whose prices those have that the request may be sent to; nil: not all have the same.
    private(set) var prices: String?

    /// No answer was found, and one that comes may be stored.
    var isMiss: Bool { key != nil && record?.outcome == .miss }

    /// True: the cache's word is awaited.
    mutating func begins(for exchange: Exchange, _ resolved: ResolvedTarget) -> Bool {
        let snapshot = exchange.runtime.snapshot
        guard let cache = snapshot.cache,
            let age = begin(
                exchange.head, exchange.intake, resolved, exchange.walk.fitting, exchange.access.principal, snapshot,
                isUpgrade: exchange.intake.upgrade != nil),
            let key
        else { return false }
        let mailbox = exchange.worker.context.mailbox
        let id = exchange.id
        let isAsked = cache.lookup(key, now: Clock.wall(), maxAge: age) { mailbox.post(.recalled(id, $0)) }
        if !isAsked { return false }
        exchange.enter(.recalling)
        exchange.worker.awaitRecall(exchange)
        return true
    }

    /// What is left to do after a look-up.
    enum Word {
        case answer(CachedAnswer)
        /// A request for the same is under way.
        case awaited
        case nothing
    }

    /// The cache has answered, or a request for the same.
    mutating func hear(_ lookup: CacheLookup, for exchange: Exchange) -> Word {
        let worker = exchange.worker
        if case .hit(let answer) = lookup {
            if exchange.intake.keep(answer, in: &worker.bodies, of: exchange.access.principal.payer) {
                return .answer(answer)
            }
            // The provider can be made to wait for its caller, which leaves too many stored answers unread: it is not given,
            // and what comes is not stored.
            self.key = nil
            record = CacheRecord(.bypass)
            return .nothing
        }
        guard let key, exchange.runtime.snapshot.configuration.cache.coalesce, worker.joinFlight(exchange, to: key)
        else { return .nothing }
        return .awaited
    }

    /// Finds the request's key. Returns how old a stored answer may be, in microseconds, or nil if none is to be looked for.
    private mutating func begin(
        _ head: RequestHead, _ intake: Intake, _ resolved: ResolvedTarget, _ fitting: [Int],
        _ principal: Principal, _ snapshot: Snapshot, isUpgrade: Bool
    ) -> UInt64? {
        guard let maxAge = snapshot.configuration.cache.maxAge, snapshot.cache != nil else { return nil }
        let control = CacheControl(request: head)
        guard !control.noStore, intake.isComplete, !isUpgrade,
            resolved.operation.isCacheable(path: resolved.target.path),
            let key = CacheKey(
                Self.parts(intake, resolved, fitting, principal, snapshot), head, body: intake.body)
        else {
            record = CacheRecord(.bypass)
            return nil
        }
        self.key = key
        record = CacheRecord(.miss)
        let sellers = Set(fitting.map { snapshot.routes.providers[$0].prices })
        prices = sellers.count == 1 ? sellers.first.flatMap(\.self) : nil
        if control.noCache { return nil }
        let askedAge = control.maxAge.map { UInt64(clamping: $0).multipliedReportingOverflow(by: 1_000_000) }
        return min(maxAge.microseconds, askedAge.map { $0.overflow ? .max : $0.partialValue } ?? .max)
    }

    private static func parts(
        _ intake: Intake, _ resolved: ResolvedTarget, _ fitting: [Int], _ principal: Principal,
        _ snapshot: Snapshot
    ) -> CacheKeyParts {
        let providers = fitting.map { snapshot.routes.providers[$0] }
        let scope = snapshot.configuration.cache.scope
        var parts = CacheKeyParts(
            dialect: resolved.dialect, operation: resolved.operation, path: resolved.target.path,
            query: resolved.target.query)
        parts.providers = providers.map { provider in
            CacheKeyParts.describe(provider) + [provider.model ?? ""]
                + provider.aliases.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        }
        parts.model = intake.facts.model
        parts.isStream = intake.facts.isStream == true
        parts.showsUsage =
            intake.asksForUsage || providers.allSatisfy { $0.addedUsage.isAsked && !$0.addedUsage.isTakenOut }
        parts.isShared = scope == .instance
        parts.caller = scope.identity(tokenName: principal.tokenName, uid: principal.caller.uid)
        return parts
    }

    mutating func hit(_ replay: Replay) -> Replay {
        record = CacheRecord(.hit, source: replay.answer.requestID, saved: replay.answer.usage)
        self.replay = replay
        return replay
    }

    /// The request ends: a whole answer is stored, and those who waited for it go on.
    mutating func end(_ exchange: Exchange, _ state: EndState) {
        guard let key else { return }
        let answer = state == .complete ? exchange.attempt?.storedAnswer() : nil
        let snapshot = exchange.runtime.snapshot
        if let answer, let maxAge = snapshot.configuration.cache.maxAge {
            _ = snapshot.cache?.store(key, answer, maxAge: maxAge.microseconds)
        }
        exchange.worker.endFlight(of: exchange, key, answer, hasLeft: state == .clientGone)
    }

    func describe(_ settlement: inout AuditSettlement) {
        settlement.cache = record
        replay?.describe(&settlement)
    }
}
