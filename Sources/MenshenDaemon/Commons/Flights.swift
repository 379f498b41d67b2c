// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import Synchronization

/// Requests of all workers that are on their way to a provider, and those that want the same and wait (`cache.coalesce`).
final class Flights: Sendable {
    private struct Flight {
        let leader: RequestID
        var followers: [Ticket] = []
    }

    private let flights = Mutex<[CacheKey: Flight]>([:])

    /// True: another is under way, and the request waits for it. False: it is the one.
    func join(_ ticket: Ticket, _ key: CacheKey) -> Bool {
        flights.withLock { flights in
            if flights[key] == nil {
                flights[key] = Flight(leader: ticket.id)
                return false
            }
            flights[key]?.followers.append(ticket)
            return true
        }
    }

    /// It is the one, and others wait for it.
    func hasFollowers(_ id: RequestID, _ key: CacheKey) -> Bool {
        flights.withLock { flights in
            guard let flight = flights[key] else { return false }
            return flight.leader == id && !flight.followers.isEmpty
        }
    }

    /// Those who waited for it and wait no more, if it was the one; a request that itself waits is forgotten. `handsOver`: the
    /// first of them takes its place, and the others go on waiting.
    func end(_ id: RequestID, _ key: CacheKey, handsOver: Bool) -> [Ticket] {
        flights.withLock { flights in
            guard let flight = flights[key] else { return [] }
            guard flight.leader == id else {
                flights[key]?.followers.removeAll { $0.id == id }
                return []
            }
            guard handsOver, let next = flight.followers.first else {
                flights[key] = nil
                return flight.followers
            }
            flights[key] = Flight(leader: next.id, followers: Array(flight.followers.dropFirst()))
            return [next]
        }
    }
}
