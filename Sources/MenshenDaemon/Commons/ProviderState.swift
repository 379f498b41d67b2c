// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// What one worker has learnt of a provider, and who is at it. A reload keeps it for a provider that stays what it was.
final class ProviderState {
    var health: ProviderHealth
    var slots: Slots<Exchange>
    /// Models for which it refuses `stream_options`; "" stands for requests without one.
    private var refusingUsage: Set<String> = []
    /// A caller may invent as many names as it likes; then it is found out anew.
    private static let maxRefusing = 256

    init(_ provider: Provider, worker: Int, of workers: Int) {
        health = ProviderHealth(keys: provider.key.count)
        // Workers share nothing: each has its part, and the first ones what is left over.
        // One at least: a reload may bring a limit for fewer workers than there are until the next start.
        let limit = provider.maxConcurrent.map { max(1, $0 / workers + (worker < $0 % workers ? 1 : 0)) }
        slots = Slots(limit: limit, maxQueued: provider.maxQueued)
    }

    func refusesUsage(of model: String?) -> Bool { !refusingUsage.isEmpty && refusingUsage.contains(model ?? "") }

    func refuseUsage(of model: String?) {
        if refusingUsage.count >= Self.maxRefusing { refusingUsage.removeAll() }
        refusingUsage.insert(model ?? "")
    }
}

extension ProviderHealth.Limits {
    init(_ failover: Configuration.Failover) {
        self.init(failures: failover.breakerFailures, longestPause: failover.breakerPause.microseconds)
    }
}
