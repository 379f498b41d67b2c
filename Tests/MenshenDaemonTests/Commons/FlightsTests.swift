// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import Linux
import MenshenCore
import Reactor
import Synchronization
import TestSupport
import Testing

@testable import MenshenDaemon

/// Who brings an answer, and who waits for it, whichever worker they are at.
struct FlightsTests {
    private let flights = Flights()
    private let mailbox: Mailbox<WorkerMessage>

    init() throws { mailbox = try Mailbox() }

    static func key(_ prompt: String) throws -> CacheKey {
        let head = try ExchangeParts.requestHead()
        let parts = CacheKeyParts(dialect: .openai, operation: .chat, path: "/v1/chat/completions", query: nil)
        return try #require(CacheKey(parts, head, body: Array("{\"prompt\":\"\(prompt)\"}".utf8)))
    }

    private func join(_ number: Int64, _ key: CacheKey) -> Bool {
        flights.join(ExchangeParts.ticket(number, mailbox), key)
    }

    private func end(_ number: Int64, _ key: CacheKey, handsOver: Bool = false) -> [Int64] {
        flights.end(RequestID(rawValue: number), key, handsOver: handsOver).map(\.id.rawValue)
    }

    private func hasFollowers(_ number: Int64, _ key: CacheKey) -> Bool {
        flights.hasFollowers(RequestID(rawValue: number), key)
    }

    @Test func `all who want the same hear of its end`() throws {
        let (key, other) = (try Self.key("a"), try Self.key("b"))
        #expect(!join(1, key) && !join(2, other) && !hasFollowers(1, key))
        #expect(join(3, key) && join(4, key))
        #expect(hasFollowers(1, key) && !hasFollowers(3, key))
        #expect(end(1, key) == [3, 4])
        #expect(!join(3, key), "it is over, and the next begins")
    }

    @Test func `when the one with the request leaves, another takes its place and the rest goes on waiting`() throws {
        let key = try Self.key("a")
        for number in 1...3 { _ = join(Int64(number), key) }
        #expect(end(1, key, handsOver: true) == [2])
        #expect(hasFollowers(2, key))
        #expect(end(3, key, handsOver: true) == [])
        #expect(!hasFollowers(2, key), "a follower may leave too")
        #expect(end(1, key) == [], "it is not the one any more")
        #expect(end(2, key, handsOver: true) == [] && !join(4, key))
    }

    @Test func `among many threads each leads or hears of the leader's end, and no two lead at once`() throws {
        let hall = try FlightHall(flights, try Self.key("a"), workers: 4)
        let threads = try hall.boxes.indices.map { number in
            try NamedThread("worker \(number)") {
                do { try FlightWorker(number, hall).run() } catch { hall.faults.add(["\(error)"]) }
            }
        }
        for thread in threads { thread.join() }
        #expect(hall.faults.all == [])
        #expect(hall.led.load(ordering: .relaxed) + hall.heard.load(ordering: .relaxed) == 4 * FlightWorker.rounds)
        #expect(hall.heard.load(ordering: .relaxed) > 0)
        #expect(!join(-1, hall.key), "nobody is left")
    }
}

private final class FlightHall: Sendable {
    let flights: Flights
    let key: CacheKey
    let boxes: [Mailbox<WorkerMessage>]
    let faults = Collected()
    let leading = Atomic<Int>(0)
    let led = Atomic<Int>(0)
    let heard = Atomic<Int>(0)

    init(_ flights: Flights, _ key: CacheKey, workers: Int) throws {
        self.flights = flights
        self.key = key
        boxes = try (0..<workers).map { _ in try Mailbox() }
    }
}

/// One request after the other for the same. A leader now and then leaves its place to a follower, and a follower leaves.
private final class FlightWorker: TimerHandler {
    static let rounds = 2_000

    private let hall: FlightHall
    private let number: Int
    private let reactor: Reactor
    private var random: SeededGenerator
    private var following: RequestID?
    private var isStuck = false
    private var reader: MailboxReader?

    init(_ number: Int, _ hall: FlightHall) throws {
        self.number = number
        self.hall = hall
        reactor = try Reactor()
        random = SeededGenerator(state: UInt64(number + 1))
        reader = try MailboxReader(hall.boxes[number], on: reactor) { [unowned self] message in
            guard case .flight(let id, let answer) = message, id == following else { return }
            following = nil
            // Without an answer it is the leader now: nobody ends here without one otherwise.
            if answer == nil { lead(id) } else { hall.heard.add(1, ordering: .relaxed) }
        }
    }

    func timerFired(_ timer: Timer) { isStuck = true }

    func run() throws {
        let patience = Timer(self)
        reactor.timers.set(patience, at: reactor.now + UInt64(Signal.patience) * 1000)
        for round in 0..<Self.rounds {
            let id = RequestID(rawValue: Int64(round * hall.boxes.count + number))
            if hall.flights.join(Ticket(id: id, mailbox: hall.boxes[number]), hall.key) {
                following = id
                if random.chance(10) { leave(id) }
                while following != nil, !isStuck { try reactor.turn() }
                if isStuck { throw TestFailure("it never heard of the end") }
            } else {
                lead(id)
            }
        }
        reactor.timers.cancel(patience)
    }

    private func lead(_ id: RequestID) {
        if hall.leading.add(1, ordering: .sequentiallyConsistent).newValue > 1 { hall.faults.add(["two lead"]) }
        for _ in 0..<random.number(0...200) { _ = random.next() }
        hall.leading.subtract(1, ordering: .sequentiallyConsistent)
        hall.led.add(1, ordering: .relaxed)
        let hasLeft = random.chance(30)
        let answer = CachedAnswer(
            status: 200, fieldLines: [], body: [1], isStream: false, storedAt: 0, requestID: id)
        for follower in hall.flights.end(id, hall.key, handsOver: hasLeft) {
            follower.mailbox.post(.flight(follower.id, hasLeft ? nil : answer))
        }
    }

    /// It may be the leader by now, and word of that under way.
    private func leave(_ id: RequestID) {
        following = nil
        hall.heard.add(1, ordering: .relaxed)
        for follower in hall.flights.end(id, hall.key, handsOver: true) {
            follower.mailbox.post(.flight(follower.id, nil))
        }
    }
}
