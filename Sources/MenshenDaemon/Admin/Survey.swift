// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// What one worker knows of the providers, and what is under way at it; merged with the others', what the process knows.
struct Survey: Sendable {
    /// In the order of the configuration that the first of them goes by.
    private(set) var providers: [ProviderReport]
    /// Empty unless asked for.
    private(set) var open = OpenRequests()

    init(providers: [ProviderReport]) { self.providers = providers }

    init(_ runtime: Runtime, now: UInt64) {
        providers = zip(runtime.snapshot.routes.providers, runtime.states).enumerated().map { index, each in
            ProviderReport(each.0, each.1, keyTrouble: runtime.keys.trouble(index, each.0.key), now: now)
        }
    }

    /// At `worker`, by its configuration or by that of an earlier moment.
    init(_ worker: Worker, _ runtime: Runtime, listing: Bool) {
        self.init(runtime, now: worker.now)
        if listing { open = OpenRequests(at: worker) }
    }

    /// A provider that this one does not have, because a reload has not come here yet, is left out.
    mutating func merge(_ other: Survey) {
        open.merge(other.open)
        for report in other.providers {
            if let index = providers.firstIndex(where: { $0.name == report.name }) { providers[index].add(report) }
        }
    }
}
