// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What a request's record does not hold and metrics show: microseconds.
package struct RequestTimes: Sendable, Equatable {
    /// Between two pieces of a streamed answer; nil if it was no stream, or of one piece.
    package var longestGap: Int64?
    /// For places at providers; nil if it did not wait.
    package var queueWait: Int64?

    package init() {}
}

/// Counts requests that have ended. Each worker has one; a scrape adds them up.
package struct RequestTally: Sendable {
    /// Finds the value of the label of a model, or of a caller, that is not in the tally yet.
    package typealias Naming = (_ name: String, _ isProven: Bool) -> String

    fileprivate struct Place: Hashable {
        let provider: String
        let model: String
    }

    fileprivate struct Outcome: Equatable {
        let operation: Operation
        let state: EndState
        /// Hundreds of the status; 0: none went down.
        let status: UInt8
    }

    fileprivate struct Series: Sendable {
        let place: Place
        /// A handful, so they are searched.
        var outcomes: [(outcome: Outcome, count: Int64)] = []
        var uncached: Int64 = 0
        var cached: Int64 = 0
        var cacheWritten: Int64 = 0
        var text: Int64 = 0
        var reasoning: Int64 = 0
        var cost = Money.zero
        var unpriced: Int64 = 0
        var firstByte = MetricHistogram()
        var duration = MetricHistogram()
        var longestGap = MetricHistogram()
    }

    fileprivate struct Caller: Sendable {
        let name: String
        var requests: Int64 = 0
        var cost = Money.zero
    }

    fileprivate struct Attempts: Sendable {
        let provider: String
        let reason: String
        var count: Int64
    }

    private var series: [Series] = []
    private var places: [Place: Int] = [:]
    private var callers: [Caller] = []
    private var callerNames: [String: Int] = [:]
    private var attempts: [Attempts] = []
    private var queueWaits: [(provider: String, times: MetricHistogram)] = []
    /// Most requests are like the one before.
    private var lastSeries = 0
    private var lastCaller = 0

    package init() {}

    // MARK: Counting

    /// `isKnown`: the caller was let in, so that its name says something.
    package mutating func count(
        _ settlement: AuditSettlement, _ times: RequestTimes, isKnown: Bool, model naming: Naming, caller: Naming
    ) {
        let index = seriesIndex(settlement, naming)
        series[index].count(settlement, times)
        if isKnown {
            let index = callerIndex(settlement.intent, caller)
            callers[index].requests += 1
            if let amount = settlement.cost?.amount { callers[index].cost = callers[index].cost + amount }
        }
        for attempt in settlement.attempts { add(attempt.provider, attempt.reason, 1) }
        if let wait = times.queueWait {
            add(settlement.answeringProvider ?? "", { $0.add(wait) })
        }
    }

    private mutating func seriesIndex(_ settlement: AuditSettlement, _ naming: Naming) -> Int {
        let provider = settlement.answeringProvider ?? ""
        let model = settlement.model ?? settlement.intent.model ?? ""
        if lastSeries < series.count, series[lastSeries].place.model == model,
            series[lastSeries].place.provider == provider
        {
            return lastSeries
        }
        var place = Place(provider: provider, model: model)
        if let index = places[place] {
            lastSeries = index
            return index
        }
        // Callers may invent names: only one that a provider has answered well has a place of its own.
        let isProven = !provider.isEmpty && settlement.status.map { (200..<300).contains($0) } == true
        place = Place(provider: provider, model: model.isEmpty ? "" : naming(model, isProven))
        return index(of: place)
    }

    private mutating func index(of place: Place) -> Int {
        if let index = places[place] { return index }
        places[place] = series.count
        series.append(Series(place: place))
        return series.count - 1
    }

    private mutating func callerIndex(_ intent: AuditIntent, _ naming: Naming) -> Int {
        let caller = intent.caller
        let name =
            intent.tokenName ?? caller.unit ?? caller.executable ?? caller.uid.map { "uid \($0)" } ?? "no token"
        if lastCaller < callers.count, callers[lastCaller].name == name { return lastCaller }
        if let index = callerNames[name] {
            lastCaller = index
            return index
        }
        return index(ofCaller: naming(name, true))
    }

    private mutating func index(ofCaller name: String) -> Int {
        if let index = callerNames[name] { return index }
        callerNames[name] = callers.count
        callers.append(Caller(name: name))
        return callers.count - 1
    }

    private mutating func add(_ provider: String, _ reason: String, _ count: Int64) {
        if let index = attempts.firstIndex(where: { $0.reason == reason && $0.provider == provider }) {
            attempts[index].count += count
        } else {
            attempts.append(Attempts(provider: provider, reason: reason, count: count))
        }
    }

    private mutating func add(_ provider: String, _ change: (inout MetricHistogram) -> Void) {
        if !queueWaits.contains(where: { $0.provider == provider }) {
            queueWaits.append((provider, MetricHistogram()))
        }
        for index in queueWaits.indices where queueWaits[index].provider == provider {
            change(&queueWaits[index].times)
        }
    }

    // MARK: Adding up

    /// Requests that have ended.
    package struct Totals: Sendable, Equatable {
        package var requests: Int64 = 0
        /// Of these: a status of 400 or more, or another end than `complete` and `client_gone`, as in all reports.
        package var failed: Int64 = 0

        package init() {}

        package mutating func add(_ other: Totals) {
            requests += other.requests
            failed += other.failed
        }
    }

    package var totals: Totals {
        var totals = Totals()
        for series in series {
            for (outcome, count) in series.outcomes {
                totals.requests += count
                let isFine = outcome.state == .complete || outcome.state == .clientGone
                if outcome.status >= 4 || !isFine { totals.failed += count }
            }
        }
        return totals
    }

    package mutating func merge(_ other: RequestTally) {
        for more in other.series {
            let index = index(of: more.place)
            series[index].add(more)
        }
        for more in other.callers {
            let index = index(ofCaller: more.name)
            callers[index].requests += more.requests
            callers[index].cost = callers[index].cost + more.cost
        }
        for more in other.attempts { add(more.provider, more.reason, more.count) }
        for more in other.queueWaits { add(more.provider) { $0.add(more.times) } }
    }
}

extension RequestTally.Series {
    /// A method of the series: one of the tally would copy the tally for it.
    fileprivate mutating func count(_ settlement: AuditSettlement, _ times: RequestTimes) {
        let outcome = RequestTally.Outcome(
            operation: settlement.intent.operation, state: settlement.endState,
            status: UInt8(clamping: (settlement.status ?? 0) / 100))
        add(outcome, 1)
        duration.add(settlement.totalMicroseconds)
        // Of an answer of menshen's own it would say nothing of a provider.
        if let time = settlement.firstByteMicroseconds, settlement.answeringProvider != nil {
            firstByte.add(time)
        }
        if let gap = times.longestGap { longestGap.add(gap) }
        if let cost = settlement.cost {
            if let amount = cost.amount { self.cost = self.cost + amount }
            if cost.state == .unpriced { unpriced += 1 }
        }
        guard settlement.cache?.outcome != .hit, let usage = settlement.answer?.usage else { return }
        let (read, written, thought) = (usage.cacheRead ?? 0, usage.cacheWrite ?? 0, usage.reasoning ?? 0)
        Self.add(read, to: &cached)
        Self.add(written, to: &cacheWritten)
        Self.add(usage.inputUncached ?? ((usage.inputTotal ?? 0) &- read &- written), to: &uncached)
        Self.add(thought, to: &reasoning)
        Self.add((usage.outputTotal ?? 0) &- thought, to: &text)
    }

    /// A provider may report any number; a counter only grows, and stops at the largest.
    private static func add(_ count: Int64, to sum: inout Int64) { sum = sum.saturatingAdd(max(0, count)) }

    fileprivate mutating func add(_ outcome: RequestTally.Outcome, _ count: Int64) {
        if let index = outcomes.firstIndex(where: { $0.outcome == outcome }) {
            outcomes[index].count += count
        } else {
            outcomes.append((outcome, count))
        }
    }

    fileprivate mutating func add(_ other: Self) {
        for more in other.outcomes { add(more.outcome, more.count) }
        Self.add(other.uncached, to: &uncached)
        Self.add(other.cached, to: &cached)
        Self.add(other.cacheWritten, to: &cacheWritten)
        Self.add(other.text, to: &text)
        Self.add(other.reasoning, to: &reasoning)
        cost = cost + other.cost
        unpriced += other.unpriced
        firstByte.add(other.firstByte)
        duration.add(other.duration)
        longestGap.add(other.longestGap)
    }
}

extension RequestTally {
    /// Writes all of its families. `openRequests`, `openStreams`: under way now.
    package func write(to text: inout MetricText, openRequests: Int, openStreams: Int) {
        text.begin(.requests)
        for series in series {
            for (outcome, count) in series.outcomes {
                text.sample(
                    series.place.provider, series.place.model, outcome.operation.rawValue, outcome.state.rawValue,
                    outcome.status == 0 ? "" : "\(outcome.status)xx", value: count)
            }
        }
        text.begin(.callerRequests)
        for caller in callers { text.sample(caller.name, value: caller.requests) }
        text.begin(.callerCost)
        for caller in callers { text.sample(caller.name, value: caller.cost.dollars) }
        text.begin(.inputTokens)
        for series in series {
            text.sample(series.place.provider, series.place.model, "uncached", value: series.uncached)
            text.sample(series.place.provider, series.place.model, "cached", value: series.cached)
            text.sample(series.place.provider, series.place.model, "cache_written", value: series.cacheWritten)
        }
        text.begin(.outputTokens)
        for series in series {
            text.sample(series.place.provider, series.place.model, "text", value: series.text)
            text.sample(series.place.provider, series.place.model, "reasoning", value: series.reasoning)
        }
        text.begin(.cost)
        for series in series { text.sample(series.place.provider, series.place.model, value: series.cost.dollars) }
        text.begin(.unpriced)
        for series in series { text.sample(series.place.provider, series.place.model, value: series.unpriced) }
        write(\.firstByte, of: .firstByte, to: &text)
        write(\.duration, of: .duration, to: &text)
        write(\.longestGap, of: .longestGap, to: &text)
        text.begin(.queueWait)
        for wait in queueWaits { text.sample(wait.provider, value: wait.times) }
        text.begin(.attempts)
        for attempt in attempts { text.sample(attempt.provider, attempt.reason, value: attempt.count) }
        text.begin(.openRequests)
        text.sample(value: openRequests)
        text.begin(.openStreams)
        text.sample(value: openStreams)
    }

    private func write(_ times: KeyPath<Series, MetricHistogram>, of family: MetricFamily, to text: inout MetricText) {
        text.begin(family)
        for series in series where series[keyPath: times].count > 0 {
            text.sample(series.place.provider, series.place.model, value: series[keyPath: times])
        }
    }
}
