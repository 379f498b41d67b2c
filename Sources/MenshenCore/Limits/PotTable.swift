// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// All pots, and how many requests of each holder are under way. A request reserves in all of its pots or in none. Times are
/// seconds since 1970.
package struct PotTable: Sendable {
    package enum Outcome: Sendable {
        case admitted(Hold)
        case refused(LimitRefusal, LimitNotice?)
        /// What was spent in a pot before this process is not known yet.
        case unknown
    }

    /// What a holder's requests do.
    private struct Conduct {
        var underWay = 0
        /// In a row.
        var errors = 0
        var pausedUntil = Int64.min

        var isIdle: Bool { underWay == 0 && errors == 0 }
    }

    /// Above this, pots that nobody uses are dropped; one that is asked for again is made of the records.
    private static let most = 4096
    private static let mostModels = 1024

    private var pots: [PotKey: Pot] = [:]
    private var conducts: [Holder: Conduct] = [:]
    /// Output tokens that answers of a provider's model have, by both names.
    private var usualOutput: [String: Int64] = [:]

    package init() {}

    // MARK: A request

    /// `notify`: per cent of a limit at which somebody is told.
    package mutating func reserve(
        _ demands: [Demand], _ wanted: Amounts, notify: [Int], at now: Int64, _ zone: ZoneRules
    ) -> Outcome {
        guard areKnown(demands, now, zone) else { return .unknown }
        for demand in demands {
            if let refusal = refusal(demand, wanted, now) {
                return .refused(refusal, notice(of: refusal, notify, now))
            }
        }
        var entries: [Hold.Entry] = []
        var holders: [Holder] = []
        for demand in demands {
            for limit in demand.limits {
                let key = PotKey(demand.holder, limit)
                guard let slip = pots[key]?.reserve(wanted[limit.measure]) else { continue }
                entries.append(Hold.Entry(key: key, limit: limit, slip: slip))
            }
            if demand.concurrency != nil || demand.maxErrors != nil {
                conducts[demand.holder, default: Conduct()].underWay += 1
                holders.append(demand.holder)
            }
        }
        return .admitted(Hold(entries: entries, holders: holders))
    }

    /// Brings the pots to the present, and makes those that are missing.
    private mutating func areKnown(_ demands: [Demand], _ now: Int64, _ zone: ZoneRules) -> Bool {
        var areKnown = true
        for demand in demands {
            for limit in demand.limits {
                let key = PotKey(demand.holder, limit)
                if pots[key] == nil, pots.count >= Self.most { dropUnused(now) }
                pots[key, default: Pot(limit.window, at: now, zone)].advance(to: now, zone)
                if pots[key]?.isKnown == false { areKnown = false }
            }
        }
        return areKnown
    }

    private mutating func dropUnused(_ now: Int64) {
        pots = pots.filter { $0.value.reserved > 0 || !$0.value.isKnown }
        conducts = conducts.filter { !$0.value.isIdle }
    }

    private mutating func refusal(_ demand: Demand, _ wanted: Amounts, _ now: Int64) -> LimitRefusal? {
        let holder = demand.holder
        if demand.maxErrors != nil || demand.concurrency != nil, let conduct = conducts[holder] {
            if let most = demand.maxErrors, conduct.errors >= most, now < conduct.pausedUntil {
                let end = conduct.pausedUntil
                return LimitRefusal(holder: holder, reason: .errors(conduct.errors), resetsAt: end, wait: end - now)
            }
            if let most = demand.concurrency, conduct.underWay >= most {
                return LimitRefusal(holder: holder, reason: .concurrency(most), resetsAt: nil, wait: 1)
            }
        }
        for limit in demand.limits {
            let amount = wanted[limit.measure]
            guard let pot = pots[PotKey(holder, limit)], !pot.hasRoom(for: amount, of: limit.amount) else { continue }
            let opens = pot.opens(for: amount, of: limit.amount, at: now)
            return LimitRefusal(
                holder: holder,
                reason: .pot(limit, spent: pot.spent, reserved: pot.reserved, wanted: amount), resetsAt: opens,
                wait: opens.map { max(1, $0 - now) })
        }
        return nil
    }

    /// A limit that refuses is reached, even if its last bit is not spent.
    private mutating func notice(of refusal: LimitRefusal, _ notify: [Int], _ now: Int64) -> LimitNotice? {
        guard case .pot(let limit, let spent, 0, let wanted) = refusal.reason, notify.contains(100), spent > 0,
            wanted <= limit.amount
        else { return nil }
        let key = PotKey(refusal.holder, limit)
        guard pots[key].map({ $0.told < 100 }) == true else { return nil }
        pots[key]?.tell(100, at: now)
        return LimitNotice(key: key, limit: limit, percent: 100, spent: spent, resetsAt: refusal.resetsAt)
    }

    /// A request under way turns out larger than it was expected to be: reserves `more`. Returns why it has to end instead: a
    /// limit that cuts, as all do with `cutsAll`, has no room for that.
    package mutating func extend(
        _ hold: inout Hold, _ more: Amounts, cutsAll: Bool, at now: Int64, _ zone: ZoneRules
    ) -> LimitRefusal? {
        for entry in hold.entries where cutsAll || entry.limit.cuts {
            let amount = more[entry.key.measure]
            pots[entry.key]?.advance(to: now, zone)
            guard amount > 0, let pot = pots[entry.key], pot.counts(entry.slip),
                !pot.hasRoom(for: amount, of: entry.limit.amount)
            else { continue }
            return LimitRefusal(
                holder: entry.key.holder, reason: .passed(entry.limit),
                resetsAt: pot.opens(for: amount, of: entry.limit.amount, at: now), wait: nil)
        }
        for index in hold.entries.indices {
            let entry = hold.entries[index]
            if let slip = pots[entry.key]?.extend(entry.slip, by: more[entry.key.measure]) {
                hold.entries[index].slip = slip
            }
        }
        return nil
    }

    /// The request has ended and has spent `spent`. Returns what somebody is to be told.
    package mutating func settle(
        _ hold: Hold, _ spent: Amounts, notify: [Int], at now: Int64, _ zone: ZoneRules
    ) -> [LimitNotice] {
        var notices: [LimitNotice] = []
        for entry in hold.entries {
            guard var pot = pots[entry.key] else { continue }
            pot.advance(to: now, zone)
            pot.settle(entry.slip, spent[entry.key.measure])
            if let percent = Self.passed(pot.spent, of: entry.limit.amount, notify), percent > pot.told {
                pot.tell(percent, at: now)
                notices.append(
                    LimitNotice(
                        key: entry.key, limit: entry.limit, percent: percent, spent: pot.spent,
                        resetsAt: pot.opens(for: 0, of: 0, at: now)))
            }
            pots[entry.key] = pot
        }
        leave(hold)
        return notices
    }

    /// The highest of `notify` that is reached.
    private static func passed(_ spent: Int64, of limit: Int64, _ notify: [Int]) -> Int? {
        notify.filter { percent in
            let (high, low) = spent.multipliedFullWidth(by: 100)
            let (otherHigh, otherLow) = limit.multipliedFullWidth(by: Int64(percent))
            return (high, low) >= (otherHigh, otherLow)
        }.max()
    }

    /// The request has ended without anything being asked.
    package mutating func release(_ hold: Hold) {
        for entry in hold.entries { pots[entry.key]?.settle(entry.slip, 0) }
        leave(hold)
    }

    private mutating func leave(_ hold: Hold) {
        for holder in hold.holders {
            guard var conduct = conducts[holder] else { continue }
            conduct.underWay -= 1
            conducts[holder] = conduct.isIdle ? nil : conduct
        }
    }

    /// A provider has answered a request of the holders with an error that is the request's own, or well. At the end of a
    /// pause one more error begins the next.
    package mutating func answered(_ demands: [Demand], isError: Bool, pause: Int64, at now: Int64) {
        for demand in demands {
            guard let most = demand.maxErrors else { continue }
            var conduct = conducts[demand.holder] ?? Conduct()
            conduct.errors = isError ? conduct.errors + 1 : 0
            if isError, conduct.errors >= most { conduct.pausedUntil = now + pause }
            conducts[demand.holder] = conduct.isIdle ? nil : conduct
        }
    }

    // MARK: Estimates

    /// An answer had so many output tokens. What is usual follows the largest, and falls back an eighth of the way with each
    /// smaller one: an estimate that is too low lets too much through.
    package mutating func learn(_ provider: String, _ model: String, output: Int64) {
        if usualOutput.count >= Self.mostModels { usualOutput.removeAll() }
        Self.learn(&usualOutput[Self.name(provider, model)], output)
    }

    static func learn(_ usual: inout Int64?, _ output: Int64) {
        usual = usual.map { max(output, $0 - ($0 - output) / 8) } ?? output
    }

    package func usualOutput(_ provider: String, _ model: String) -> Int64? { usualOutput[Self.name(provider, model)] }

    static func name(_ provider: String, _ model: String) -> String { "\(provider)\u{0}\(model)" }

    // MARK: The past

    /// Pots whose past is not known, as they are now.
    package var unknown: [PotKey: Pot] { pots.filter { !$0.value.isKnown } }

    /// The past of pots that were `unknown` before. One that is known by now, because its window ended meanwhile, stays as it
    /// is; the others have no reservation.
    package mutating func fill(_ past: PastSpending) {
        for (key, pot) in past.pots where pots[key]?.isKnown == false {
            pots[key] = pot
            pots[key]?.becomeKnown()
        }
        for (name, usual) in past.usualOutput where usualOutput[name] == nil && usualOutput.count < Self.mostModels {
            usualOutput[name] = usual
        }
    }

    /// Pots whose past is known, to find out what else belongs to it.
    package var known: [PotKey: Pot] { pots.filter { $0.value.isKnown } }

    /// Records of before have turned up that nobody had when the past was read.
    package mutating func charge(_ past: PastSpending) {
        for charge in past.charges ?? [] { pots[charge.key]?.addPast(charge.amount, at: charge.time) }
    }

    // MARK: Looking

    var count: Int { pots.count }

    /// The state of a holder's pots.
    package mutating func state(_ demand: Demand, at now: Int64, _ zone: ZoneRules) -> [PotState] {
        _ = areKnown([demand], now, zone)
        return demand.limits.compactMap { limit in
            let key = PotKey(demand.holder, limit)
            guard let pot = pots[key] else { return nil }
            return PotState(
                holder: demand.holder, limit: limit, spent: pot.spent, reserved: pot.reserved, isKnown: pot.isKnown,
                resetsAt: pot.span.upperBound == .max ? nil : pot.span.upperBound)
        }
    }
}

/// A pot as its holder may see it.
package struct PotState: Sendable {
    package let holder: Holder
    package let limit: Limit
    package let spent: Int64
    package let reserved: Int64
    package let isKnown: Bool
    /// When its window ends; nil for one that is rolling, or for ever.
    package let resetsAt: Int64?

    package init(
        holder: Holder, limit: Limit, spent: Int64, reserved: Int64, isKnown: Bool = true, resetsAt: Int64?
    ) {
        (self.holder, self.limit, self.spent, self.reserved) = (holder, limit, spent, reserved)
        (self.isKnown, self.resetsAt) = (isKnown, resetsAt)
    }

    package var remaining: Int64 { max(0, limit.amount.saturatingAdd(-spent.saturatingAdd(reserved))) }
}
