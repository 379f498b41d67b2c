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

    /// By place, so that a pot is found once for each request and changed where it stands.
    private var pots: [Pot] = []
    /// Who has last looked for the pot in a place; nil: none is there. Most requests are found by that, without the dictionary.
    private var seekers: [Demand.Share?] = []
    private var places: [PotKey: Int] = [:]
    private var freePlaces: [Int] = []
    private var conducts: [Holder: Conduct] = [:]
    /// Output tokens that answers of a provider's model have, by both names.
    private var usualOutput: [ProvidersModel: Int64] = [:]

    package init() {}

    // MARK: A request

    /// `notify`: per cent of a limit at which somebody is told.
    package mutating func reserve(
        _ demands: [Demand], _ wanted: Amounts, notify: [Int], at now: Int64, _ zone: ZoneRules
    ) -> Outcome {
        var entries: [Hold.Entry] = []
        guard find(&entries, of: demands, now, zone) else { return .unknown }
        var next = 0
        for demand in demands {
            let end = next + demand.limits.count
            if let refusal = refusal(demand, entries[next..<end], wanted, now) {
                return .refused(refusal, notice(of: refusal, notify, now))
            }
            next = end
        }
        for index in entries.indices {
            entries[index].slip = pots[entries[index].place].reserve(wanted[entries[index].limit.measure])
        }
        var holders: [Holder] = []
        for demand in demands where demand.concurrency != nil || demand.maxErrors != nil {
            conducts[demand.holder, default: Conduct()].underWay += 1
            holders.append(demand.holder)
        }
        return .admitted(Hold(entries: entries, holders: holders))
    }

    /// Brings the pots of all limits to the present, in their order, and makes those that are missing. False: what was spent
    /// before is not known of all of them.
    private mutating func find(
        _ entries: inout [Hold.Entry], of demands: [Demand], _ now: Int64, _ zone: ZoneRules
    ) -> Bool {
        entries.reserveCapacity(demands.reduce(0) { $0 + $1.limits.count })
        var areKnown = true
        for demand in demands {
            for share in demand.shares {
                let place = place(share) ?? make(share, beside: entries, now, zone)
                pots[place].advance(to: now, zone)
                if !pots[place].isKnown { areKnown = false }
                entries.append(Hold.Entry(share: share, place: place, slip: .none))
            }
        }
        return areKnown
    }

    private mutating func place(_ share: Demand.Share) -> Int? {
        let last = share.lastPlace
        if last < seekers.count, seekers[last] === share { return last }
        guard let place = places[share.key] else { return nil }
        seekers[place] = share
        share.lastPlace = place
        return place
    }

    private mutating func make(
        _ share: Demand.Share, beside others: [Hold.Entry], _ now: Int64, _ zone: ZoneRules
    ) -> Int {
        let key = share.key
        if places.count >= Self.most { dropUnused(but: others) }
        let pot = Pot(key.window, at: now, zone)
        let place = freePlaces.popLast() ?? pots.count
        if place == pots.count {
            pots.append(pot)
            seekers.append(share)
        } else {
            pots[place] = pot
            seekers[place] = share
        }
        places[key] = place
        share.lastPlace = place
        return place
    }

    private mutating func dropUnused(but others: [Hold.Entry]) {
        for (key, place) in places
        where pots[place].reserved == 0 && pots[place].isKnown && !others.contains(where: { $0.place == place }) {
            places[key] = nil
            seekers[place] = nil
            freePlaces.append(place)
        }
        conducts = conducts.filter { !$0.value.isIdle }
    }

    /// The pot of an entry of a request under way. It may have been dropped meanwhile, if the request has reserved nothing in
    /// it, and be another's or made anew.
    private func place(_ entry: Hold.Entry) -> Int? {
        seekers[entry.place] === entry.share ? entry.place : places[entry.key]
    }

    private func refusal(
        _ demand: Demand, _ entries: ArraySlice<Hold.Entry>, _ wanted: Amounts, _ now: Int64
    ) -> LimitRefusal? {
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
        for entry in entries {
            let limit = entry.limit
            let amount = wanted[limit.measure]
            if pots[entry.place].hasRoom(for: amount, of: limit.amount) { continue }
            let pot = pots[entry.place]
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
        guard let place = places[key], pots[place].told < 100 else { return nil }
        pots[place].tell(100, at: now)
        return LimitNotice(key: key, limit: limit, percent: 100, spent: spent, resetsAt: refusal.resetsAt)
    }

    /// A request under way turns out larger than it was expected to be: reserves `more`. Returns why it has to end instead: a
    /// limit that cuts, as all do with `cutsAll`, has no room for that.
    package mutating func extend(
        _ hold: inout Hold, _ more: Amounts, cutsAll: Bool, at now: Int64, _ zone: ZoneRules
    ) -> LimitRefusal? {
        for entry in hold.entries where cutsAll || entry.limit.cuts {
            let amount = more[entry.key.measure]
            guard let place = place(entry) else { continue }
            pots[place].advance(to: now, zone)
            let pot = pots[place]
            guard amount > 0, pot.counts(entry.slip), !pot.hasRoom(for: amount, of: entry.limit.amount) else {
                continue
            }
            return LimitRefusal(
                holder: entry.key.holder, reason: .passed(entry.limit),
                resetsAt: pot.opens(for: amount, of: entry.limit.amount, at: now), wait: nil)
        }
        for index in hold.entries.indices {
            let entry = hold.entries[index]
            guard let place = place(entry) else { continue }
            if let slip = pots[place].extend(entry.slip, by: more[entry.key.measure]) {
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
            guard let place = place(entry) else { continue }
            if let notice = pots[place].settle(entry, spent[entry.key.measure], notify, at: now, zone) {
                notices.append(notice)
            }
        }
        leave(hold)
        return notices
    }

    /// The request has ended without anything being asked.
    package mutating func release(_ hold: Hold) {
        for entry in hold.entries {
            if let place = place(entry) { pots[place].settle(entry.slip, 0) }
        }
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
        Self.learn(&usualOutput[ProvidersModel(provider: provider, model: model)], output)
    }

    static func learn(_ usual: inout Int64?, _ output: Int64) {
        usual = usual.map { max(output, $0 - ($0 - output) / 8) } ?? output
    }

    package func usualOutput(_ provider: String, _ model: String) -> Int64? {
        usualOutput[ProvidersModel(provider: provider, model: model)]
    }

    // MARK: The past

    /// Pots whose past is not known, as they are now.
    package var unknown: [PotKey: Pot] { all.filter { !$0.value.isKnown } }

    /// The past of pots that were `unknown` before. One that is known by now, because its window ended meanwhile, stays as it
    /// is; the others have no reservation.
    package mutating func fill(_ past: PastSpending) {
        for (key, pot) in past.pots {
            guard let place = places[key], !pots[place].isKnown else { continue }
            pots[place] = pot
            pots[place].becomeKnown()
        }
        for (model, usual) in past.usualOutput where usualOutput[model] == nil && usualOutput.count < Self.mostModels {
            usualOutput[model] = usual
        }
    }

    /// Pots whose past is known, to find out what else belongs to it.
    package var known: [PotKey: Pot] { all.filter { $0.value.isKnown } }

    private var all: [PotKey: Pot] { places.mapValues { pots[$0] } }

    /// Records of before have turned up that nobody had when the past was read.
    package mutating func charge(_ past: PastSpending) {
        for charge in past.charges ?? [] {
            if let place = places[charge.key] { pots[place].addPast(charge.amount, at: charge.time) }
        }
    }

    // MARK: Looking

    var count: Int { places.count }

    /// The state of a holder's pots.
    package mutating func state(_ demand: Demand, at now: Int64, _ zone: ZoneRules) -> [PotState] {
        var entries: [Hold.Entry] = []
        _ = find(&entries, of: [demand], now, zone)
        return entries.map { entry in
            let pot = pots[entry.place]
            return PotState(
                holder: demand.holder, limit: entry.limit, spent: pot.spent, reserved: pot.reserved,
                isKnown: pot.isKnown, resetsAt: pot.span.upperBound == .max ? nil : pot.span.upperBound)
        }
    }
}

extension Pot {
    /// Returns what somebody is to be told.
    fileprivate mutating func settle(
        _ entry: Hold.Entry, _ amount: Int64, _ notify: [Int], at now: Int64, _ zone: ZoneRules
    ) -> LimitNotice? {
        advance(to: now, zone)
        settle(entry.slip, amount)
        guard let percent = passed(of: entry.limit.amount, notify), percent > told else { return nil }
        tell(percent, at: now)
        return LimitNotice(
            key: entry.key, limit: entry.limit, percent: percent, spent: spent,
            resetsAt: opens(for: 0, of: 0, at: now))
    }

    /// The highest of `notify` that is reached.
    private func passed(of limit: Int64, _ notify: [Int]) -> Int? {
        var highest: Int?
        let (high, low) = spent.multipliedFullWidth(by: 100)
        for percent in notify where percent > highest ?? .min {
            if (high, low) >= limit.multipliedFullWidth(by: Int64(percent)) { highest = percent }
        }
        return highest
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
