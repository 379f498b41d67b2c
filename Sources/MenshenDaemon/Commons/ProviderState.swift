// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import Synchronization

/// What the workers have learnt of a provider, and who is at it.
final class ProviderState: Sendable {
    let health: SharedHealth
    let places: Places
    let headroom: SharedHeadroom
    /// Models for which it refuses `stream_options`; "" stands for requests without one.
    private let refusingUsage = Mutex<Set<String>>([])
    private let refusesSome = Atomic<Bool>(false)
    /// A caller may invent as many names as it likes; then it is found out anew.
    private static let maxRefusing = 256

    init(_ provider: Provider) {
        health = SharedHealth(keys: provider.key.count)
        headroom = SharedHeadroom(keys: provider.key.count)
        places = Places(limit: provider.maxConcurrent, maxQueued: provider.maxQueued)
    }

    func refusesUsage(of model: String?) -> Bool {
        refusesSome.load(ordering: .acquiring) && refusingUsage.withLock { $0.contains(model ?? "") }
    }

    func refuseUsage(of model: String?) {
        refusingUsage.withLock { refusing in
            if refusing.count >= Self.maxRefusing { refusing.removeAll() }
            refusing.insert(model ?? "")
        }
        refusesSome.store(true, ordering: .releasing)
    }
}

extension ProviderHealth.Limits {
    init(_ failover: Configuration.Failover) {
        self.init(failures: failover.breakerFailures, longestPause: failover.breakerPause.microseconds)
    }
}
