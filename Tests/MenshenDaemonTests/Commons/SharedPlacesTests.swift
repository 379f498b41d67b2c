// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Linux
import MenshenCore
import Reactor
import Synchronization
import TestSupport
import Testing

@testable import MenshenDaemon

/// Places that several workers give and take at once.
struct SharedPlacesTests {
    private static func ticket(_ number: Int) throws -> Ticket {
        ExchangeParts.ticket(Int64(number), try Mailbox())
    }

    @Test func `a place that is left is the next one's before anybody else can come`() throws {
        let places = Places(limit: 1, maxQueued: 5)
        let (first, second) = (try Self.ticket(1), try Self.ticket(2))
        #expect(places.enter() && !places.enter() && places.isFull)
        #expect(places.enter(orWait: first, of: "a").text == "waits")
        #expect(places.enter(orWait: second, of: "a").text == "waits")
        #expect(places.takeNews(of: first.id) == nil && places.hasWaiting)
        #expect(places.leave()?.id == first.id)
        #expect(places.isFull && places.counts == (1, 1))
        #expect(places.takeNews(of: first.id) == .place && places.takeNews(of: first.id) == nil)
        #expect(places.leave()?.id == second.id)
        #expect(places.takeNews(of: second.id) == .place && !places.hasWaiting)
        #expect(places.leave() == nil && places.counts == (0, 0))
    }

    @Test func `one that comes too late for the lock finds the place free`() throws {
        let places = Places(limit: 1, maxQueued: 0)
        #expect(places.enter() && !places.enter())
        _ = places.leave()
        #expect(places.enter(orWait: try Self.ticket(1), of: "a").text == "entered")
        #expect(places.enter(orWait: try Self.ticket(2), of: "a").text == "full")
    }

    @Test func `one that leaves while its place is under way passes it on`() throws {
        let places = Places(limit: 1, maxQueued: 5)
        let tickets = try (0..<3).map { try Self.ticket($0) }
        _ = places.enter()
        for ticket in tickets { _ = places.enter(orWait: ticket, of: "a") }
        #expect(places.leave()?.id == tickets[0].id)
        #expect(places.withdraw(tickets[1].id) == nil)
        #expect(places.withdraw(tickets[0].id)?.id == tickets[2].id)
        #expect(places.takeNews(of: tickets[0].id) == nil)
        #expect(places.withdraw(tickets[2].id) == nil && places.counts == (0, 0))
    }

    @Test func `one that is displaced hears of it, or has left`() throws {
        let places = Places(limit: 1, maxQueued: 2)
        let tickets = try (0..<5).map { try Self.ticket($0) }
        _ = places.enter()
        for ticket in tickets[..<2] { _ = places.enter(orWait: ticket, of: "a") }
        #expect(places.enter(orWait: tickets[2], of: "b").text == "waits for 1")
        #expect(places.takeNews(of: tickets[1].id) == .displaced)
        #expect(places.enter(orWait: tickets[3], of: "b").text == "full")
        #expect(places.withdraw(tickets[2].id) == nil && places.counts == (1, 1))
        // A message that was under way to one that waits once more says nothing.
        #expect(places.enter(orWait: tickets[1], of: "a").text == "waits")
        #expect(places.takeNews(of: tickets[1].id) == nil)
    }

    @Test(arguments: [1, 2, 7])
    func `many threads never have more than there are, and none waits for a place that is free`(limit: Int) throws {
        let hall = try PlacesHall(limit: limit, workers: 4)
        try hall.run()
        #expect(hall.faults.all == [])
        #expect(hall.places.counts == (0, 0) && hall.active.load(ordering: .relaxed) == 0)
        #expect((1...limit).contains(hall.most.load(ordering: .relaxed)))
        #expect(hall.asked.load(ordering: .relaxed) == 4 * PlacesWorker.requests)
    }
}

/// Threads that each do what a worker does with its requests' places: some wait, some leave while they wait, and it hears of the
/// others by its mailbox.
private final class PlacesHall: Sendable {
    let places: Places
    let faults = Collected()
    let active = Atomic<Int>(0)
    let most = Atomic<Int>(0)
    /// Requests that came to an end.
    let asked = Atomic<Int>(0)
    let boxes: [Mailbox<WorkerMessage>]

    init(limit: Int, workers: Int) throws {
        places = Places(limit: limit, maxQueued: 20)
        boxes = try (0..<workers).map { _ in try Mailbox() }
    }

    func run() throws {
        let threads = try boxes.indices.map { number in
            try NamedThread("worker \(number)") { [self] in
                do { try PlacesWorker(number, self).run() } catch { faults.add(["\(error)"]) }
            }
        }
        for thread in threads { thread.join() }
    }
}

private final class PlacesWorker: TimerHandler {
    static let requests = 5_000

    private let hall: PlacesHall
    private let number: Int
    private let reactor: Reactor
    private var random: SeededGenerator
    private var begun = 0
    private var holding: [RequestID] = []
    private var waiting: [RequestID] = []
    private var isStuck = false
    private var reader: MailboxReader?

    init(_ number: Int, _ hall: PlacesHall) throws {
        self.number = number
        self.hall = hall
        reactor = try Reactor()
        random = SeededGenerator(state: UInt64(number + 1))
        reader = try MailboxReader(hall.boxes[number], on: reactor) { [unowned self] message in
            if case .place(let id) = message { hear(id) }
        }
    }

    func run() throws {
        let patience = Timer(self)
        reactor.timers.set(patience, at: reactor.now + UInt64(Signal.patience) * 1000)
        while begun < Self.requests || !holding.isEmpty || !waiting.isEmpty {
            let isBusy = step()
            try reactor.turn(mayWait: !isBusy)
            if isStuck { throw TestFailure("\(waiting.count) wait for ever") }
        }
        reactor.timers.cancel(patience)
    }

    func timerFired(_ timer: Timer) { isStuck = true }

    /// False: there is nothing to do but wait.
    private func step() -> Bool {
        switch Int.random(in: 0..<8, using: &random) {
        case 0..<4 where begun < Self.requests && waiting.count < 8: begin()
        case 4 where !waiting.isEmpty:
            let id = waiting.remove(at: Int.random(in: waiting.indices, using: &random))
            tell(hall.places.withdraw(id))
            hall.asked.add(1, ordering: .relaxed)
        default:
            if holding.isEmpty { return begun < Self.requests && waiting.count < 8 }
            holding.removeLast()
            // Before it is another's.
            hall.active.subtract(1, ordering: .sequentiallyConsistent)
            tell(hall.places.leave())
            hall.asked.add(1, ordering: .relaxed)
        }
        return true
    }

    private func begin() {
        begun += 1
        let ticket = ExchangeParts.ticket(Int64(begun * hall.boxes.count + number), hall.boxes[number])
        if hall.places.enter() { return hold(ticket.id) }
        switch hall.places.enter(orWait: ticket, of: "caller \(begun % 5)") {
        case .entered: hold(ticket.id)
        case .full: hall.asked.add(1, ordering: .relaxed)
        case .waits(let displaced):
            waiting.append(ticket.id)
            tell(displaced)
        }
    }

    private func hold(_ id: RequestID) {
        holding.append(id)
        let active = hall.active.add(1, ordering: .sequentiallyConsistent).newValue
        hall.most.max(active, ordering: .relaxed)
    }

    private func tell(_ ticket: Ticket?) {
        guard let ticket else { return }
        if ticket.mailbox === hall.boxes[number] { hear(ticket.id) } else { ticket.mailbox.post(.place(ticket.id)) }
    }

    private func hear(_ id: RequestID) {
        guard let index = waiting.firstIndex(of: id), let news = hall.places.takeNews(of: id) else { return }
        waiting.remove(at: index)
        if news == .place { hold(id) } else { hall.asked.add(1, ordering: .relaxed) }
    }
}

extension Places.Entry {
    fileprivate var text: String {
        switch self {
        case .entered: "entered"
        case .full: "full"
        case .waits(let displaced): displaced.map { "waits for \($0.id.rawValue)" } ?? "waits"
        }
    }
}
