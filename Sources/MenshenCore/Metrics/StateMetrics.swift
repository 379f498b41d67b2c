// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What is as it is at the moment of a scrape.
package struct StateMetrics {
    package struct Key {
        let breaker: Breaker.State
        /// Microseconds.
        let pause: UInt64
        let headroom: Headroom

        package init(breaker: Breaker.State, pause: UInt64, headroom: Headroom) {
            self.breaker = breaker
            self.pause = pause
            self.headroom = headroom
        }
    }

    package struct Provider {
        let name: String
        let keys: [Key]
        let inUse: Int
        /// nil: as many as come.
        let places: Int?
        let waiting: Int

        package init(name: String, keys: [Key], inUse: Int, places: Int?, waiting: Int) {
            self.name = name
            self.keys = keys
            self.inUse = inUse
            self.places = places
            self.waiting = waiting
        }
    }

    package struct Store {
        /// "database", "journal" or "none".
        let device: String
        let backlog: Int
        let awaitingDatabase: Int
        let written: Int64
        let notJournalled: Int64

        package init(device: String, backlog: Int, awaitingDatabase: Int, written: Int64, notJournalled: Int64) {
            self.device = device
            self.backlog = backlog
            self.awaitingDatabase = awaitingDatabase
            self.written = written
            self.notJournalled = notJournalled
        }
    }

    package struct Process {
        let version: String
        let isWell: Bool
        let connections: Int
        /// Microseconds of the processor; since 1970.
        let processorTime: Int64
        let startedAt: UInt64
        let residentBytes: Int
        /// nil: not known.
        let descriptors: Int?

        package init(
            version: String, isWell: Bool, connections: Int, processorTime: Int64, startedAt: UInt64,
            residentBytes: Int, descriptors: Int?
        ) {
            self.version = version
            self.isWell = isWell
            self.connections = connections
            self.processorTime = processorTime
            self.startedAt = startedAt
            self.residentBytes = residentBytes
            self.descriptors = descriptors
        }
    }

    package var providers: [Provider] = []
    package var pots: [PotState] = []
    package var store = Store(device: "", backlog: 0, awaitingDatabase: 0, written: 0, notJournalled: 0)
    /// nil: there is none.
    package var cache: CacheStatistics?
    package var process = Process(
        version: "", isWell: true, connections: 0, processorTime: 0, startedAt: 0, residentBytes: 0, descriptors: nil)

    package init() {}

    package func write(to text: inout MetricText) {
        writeProviders(to: &text)
        writeLimits(to: &text)
        writeStore(to: &text)
        writeProcess(to: &text)
    }

    private func writeProviders(to text: inout MetricText) {
        text.begin(.providerUp)
        for provider in providers {
            let isUp = provider.keys.contains { $0.breaker != .open }
            text.sample(provider.name, value: isUp ? 1 : 0)
        }
        text.begin(.breaker)
        for provider in providers {
            for (number, key) in provider.keys.enumerated() {
                for state in [Breaker.State.closed, .open, .halfOpen] {
                    text.sample(
                        provider.name, "\(number + 1)", state.rawValue, value: key.breaker == state ? 1 : 0)
                }
            }
        }
        text.begin(.keyPause)
        for provider in providers {
            for (number, key) in provider.keys.enumerated() {
                text.sample(provider.name, "\(number + 1)", value: MetricText.seconds(Int64(clamping: key.pause)))
            }
        }
        text.begin(.headroom)
        for provider in providers {
            for (number, key) in provider.keys.enumerated() {
                for limit in key.headroom.limits {
                    guard let left = limit.left else { continue }
                    text.sample(
                        provider.name, "\(number + 1)", limit.unit.rawValue, limit.window,
                        value: MetricText.decimal(left, places: 4))
                }
            }
        }
        text.begin(.placesInUse)
        for provider in providers { text.sample(provider.name, value: provider.inUse) }
        text.begin(.placesLimit)
        for provider in providers { if let places = provider.places { text.sample(provider.name, value: places) } }
        text.begin(.waiting)
        for provider in providers { text.sample(provider.name, value: provider.waiting) }
    }

    private func writeLimits(to text: inout MetricText) {
        func write(_ family: MetricFamily, _ amount: (PotState) -> Int64) {
            text.begin(family)
            for pot in pots {
                let measure = pot.limit.measure
                text.sample(
                    pot.holder.kind.rawValue, pot.holder.name, measure.rawValue, "\(pot.limit.window)",
                    value: measure == .money ? Money(picodollars: amount(pot)).dollars : "\(amount(pot))")
            }
        }
        write(.limit) { $0.limit.amount }
        write(.limitSpent) { $0.spent }
        write(.limitReserved) { $0.reserved }
    }

    private func writeStore(to text: inout MetricText) {
        text.begin(.device)
        for device in ["database", "journal", "none"] { text.sample(device, value: store.device == device ? 1 : 0) }
        write(.backlog, store.backlog, to: &text)
        write(.awaitingDatabase, store.awaitingDatabase, to: &text)
        write(.recordsWritten, store.written, to: &text)
        write(.notJournalled, store.notJournalled, to: &text)
        write(.cacheEntries, cache?.entries, to: &text)
        write(.cacheBytes, cache?.bytes, to: &text)
        write(.cacheHits, cache?.hits, to: &text)
        write(.cacheMisses, cache?.misses, to: &text)
        write(.cacheEvictions, cache?.evictions, to: &text)
    }

    private func writeProcess(to text: inout MetricText) {
        text.begin(.build)
        text.sample(process.version, value: 1)
        write(.configurationOK, process.isWell ? 1 : 0, to: &text)
        write(.connections, process.connections, to: &text)
        text.begin(.cpu)
        text.sample(value: MetricText.seconds(process.processorTime))
        write(.resident, process.residentBytes, to: &text)
        write(.openDescriptors, process.descriptors, to: &text)
        text.begin(.startTime)
        text.sample(value: MetricText.seconds(Int64(clamping: process.startedAt)))
    }

    private func write(_ family: MetricFamily, _ value: (some BinaryInteger)?, to text: inout MetricText) {
        text.begin(family)
        if let value { text.sample(value: value) }
    }
}

extension Headroom.Limit {
    /// In ten-thousandths of the whole; nil where the provider has not said enough.
    var left: Int64? {
        if let used { return min(10_000, max(0, 10_000 - used)) }
        guard let remaining, let limit, limit > 0 else { return nil }
        if remaining >= limit { return 10_000 }
        return max(0, Int64(Double(remaining) / Double(limit) * 10_000))
    }
}
