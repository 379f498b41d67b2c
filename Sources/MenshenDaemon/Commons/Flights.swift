// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// Requests of one worker that are on their way to a provider, and those that want the same and wait (`cache.coalesce`).
struct Flights<Waiter: AnyObject> {
    private struct Flight {
        unowned let leader: Waiter
        var followers: [Waiter] = []
    }

    private var flights: [CacheKey: Flight] = [:]

    /// True: another is under way, and the exchange waits for it. False: it is the one.
    mutating func join(_ exchange: Waiter, _ key: CacheKey) -> Bool {
        if flights[key] == nil {
            flights[key] = Flight(leader: exchange)
            return false
        }
        flights[key]?.followers.append(exchange)
        return true
    }

    /// It is the one, and others wait for it.
    func hasFollowers(_ exchange: Waiter, _ key: CacheKey) -> Bool {
        guard let flight = flights[key] else { return false }
        return flight.leader === exchange && !flight.followers.isEmpty
    }

    /// Those who waited for it, if it was the one; an exchange that itself waits is forgotten.
    mutating func end(_ exchange: Waiter, _ key: CacheKey) -> [Waiter] {
        guard let flight = flights[key] else { return [] }
        if flight.leader === exchange {
            flights[key] = nil
            return flight.followers
        }
        flights[key]?.followers.removeAll { $0 === exchange }
        return []
    }
}
