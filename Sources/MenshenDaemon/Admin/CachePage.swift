// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import MenshenCore
internal import MenshenStore
internal import Reactor
internal import Synchronization

/// Where the stored answers are thrown away.
extension AdminPage {
    static let cache = AdminPage(
        "/_menshen/admin/cache", access: .administrators,
        [
            Action(.post, bodyLimit: 1 << 10) { (caller, body) throws(Problem) in
                guard let object = FlatObject(body), object.members.count == 1,
                    case .text("clear") = object.members.first(where: { $0.name == "act" })?.value
                else { throw .token("The body must be one JSON object whose 'act' is clear.") }
                try caller.clearCache { count in
                    LocalAnswer(
                        status: 200, fields: [("Content-Type", "application/json"), ("Cache-Control", "no-store")],
                        body: Array("{\"cleared\":\(count)}\n".utf8))
                }
            }
        ])
}

extension PageVisit {
    func clearCache(_ render: @escaping (Int) -> LocalAnswer) throws(Problem) {
        let exchange = exchange
        guard let cache = exchange.runtime.snapshot.cache else {
            throw .token("There is no cache: cache.enable in the configuration turns it on.", status: 409)
        }
        let who = try administrator()
        let count = ClearedCount()
        try exchange.worker.clear(cache, by: who, count, for: exchange) { [self] outcome in
            answer(outcome, to: exchange) { (_) throws(Problem) in render(count.value.load(ordering: .relaxed)) }
        }
    }
}

/// How many answers were thrown away; the cache's thread tells it before the worker hears that it is done.
final class ClearedCount: Sendable {
    let value = Atomic<Int>(0)
}

extension Worker {
    /// `body` runs once the answers are gone, and that or why they are not is recorded.
    func clear(
        _ cache: ResponseCache, by who: Administrator, _ count: ClearedCount, for exchange: Exchange,
        _ body: @escaping (Result<TokenOutcome, Problem>) -> Void
    ) throws(Problem) {
        let id = exchange.id
        let (mailbox, access) = (context.mailbox, context.access)
        let isTaken = cache.clear { outcome in
            switch outcome {
            case .success(let number):
                count.value.store(number, ordering: .relaxed)
                let act = AdministrativeAct(who, "cache clear", Figures.counted(Int64(number), "answer"))
                access.record(act) { mailbox.post(.listed(id, $0)) }
            case .failure(let fault):
                let act = AdministrativeAct(who, "cache clear", "answers", outcome: fault.reason)
                access.record(act) { _ in mailbox.post(.listed(id, .failure(.cacheNotCleared(fault.reason)))) }
            }
        }
        guard isTaken else { throw .cacheNotCleared("it has too much to do, or the configuration has just changed") }
        waiting.awaitAct(PendingAct(body: body), id)
    }
}

extension Problem {
    fileprivate static func cacheNotCleared(_ reason: String) -> Problem {
        Problem(
            .cacheUnavailable, status: 503, "The cache was not cleared: \(reason). 'menshen status' says how it is.",
            isRetryable: true)
    }
}
