// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// The key that one attempt asks its provider with: it is there, a command is to print it, or it is not to be had.
enum KeySearch {
    /// True: the attempt has its key. False: the key comes later, or the request goes on elsewhere.
    static func succeeds(for attempt: Attempt, _ tried: RoutePlan.Try, _ provider: Provider) throws(Problem) -> Bool {
        let exchange = attempt.exchange
        let worker = exchange.worker
        let found: Secret?
        switch exchange.runtime.keys.key(tried, provider, refused: attempt.refused, now: worker.now) {
        case .ready(let key): found = key
        case .stale(let key, let reason):
            worker.events.tell(.keyStale(provider.name, reason, seconds: KeyRing.grace / 1_000_000))
            found = key
        case .pending:
            // A reload came in between: the answer of the old configuration's command is heard by nobody.
            guard exchange.runtime === worker.runtime else { throw .keySourceChanged }
            exchange.enter(.awaitingKey)
            worker.awaitKey(exchange, of: tried.provider)
            return false
        case .failed(let reason):
            worker.events.tell(.keyUnavailable(provider.name, reason))
            attempt.record(nil, status: nil, reason: AttemptOutcome.noKey.reason)
            exchange.goOn(after: .noKey, .noKey(provider.name, reason))
            return false
        }
        // The source has no other than the one that was refused.
        if tried.rereads, found?.digest == attempt.refused?.digest {
            exchange.goOn(after: .answered(status: 401), .refusedKey)
            return false
        }
        attempt.use(found)
        return true
    }
}
