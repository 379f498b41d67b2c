// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import Linux
import Reactor
import Testing

/// Both ends of a connected Unix socket, non-blocking.
private struct Pair {
    var here: Int32
    var there: Int32

    init() throws {
        var ends: [Int32] = [0, 0]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &ends) == 0)
        (here, there) = (ends[0], ends[1])
    }

    func say() { #expect(Glibc.write(there, "x", 1) == 1) }
    func close() { for end in [here, there] { Glibc.close(end) } }
}

private final class Listener: ReadinessHandler {
    var reports: [(fd: Int32, readiness: Readiness)] = []
    var onReady: ((Int32) -> Void)?

    func ready(_ descriptor: Int32, _ readiness: Readiness) {
        reports.append((descriptor, readiness))
        onReady?(descriptor)
    }
}

private final class Waker: TimerHandler {
    var count = 0
    func timerFired(_ timer: Timer) { count += 1 }
}

@Suite struct ReactorTests {
    /// One turn that does not wait if nothing is ready.
    private func turn(_ reactor: Reactor) throws {
        let waker = Waker()
        let timer = Timer(waker)
        reactor.timers.set(timer, at: 0)
        try reactor.turn()
        reactor.timers.cancel(timer)
    }

    @Test func `a registered descriptor is reported while it is ready`() throws {
        let reactor = try Reactor()
        let pair = try Pair()
        defer { pair.close() }
        let listener = Listener()
        try reactor.register(pair.here, .readable, listener)
        #expect(reactor.isRegistered(pair.here) && !reactor.isRegistered(pair.there))
        try turn(reactor)
        #expect(listener.reports.isEmpty)
        pair.say()
        try turn(reactor)
        try turn(reactor)
        #expect(listener.reports.count == 2)
        #expect(listener.reports.allSatisfy { $0.fd == pair.here && $0.readiness == .readable })
    }

    @Test func `only what is wanted is reported`() throws {
        let reactor = try Reactor()
        let pair = try Pair()
        defer { pair.close() }
        let listener = Listener()
        try reactor.register(pair.here, [], listener)
        pair.say()
        try turn(reactor)
        #expect(listener.reports.isEmpty)
        reactor.want(pair.here, .writable)
        reactor.want(pair.here, .writable)
        try turn(reactor)
        #expect(listener.reports.map(\.readiness) == [.writable])
        reactor.want(pair.here, [.readable, .writable])
        try turn(reactor)
        #expect(listener.reports.last?.readiness == [.readable, .writable])
        reactor.want(pair.here, [])
        try turn(reactor)
        #expect(listener.reports.count == 2)
    }

    @Test func `a peer that closes is reported even when nothing is wanted`() throws {
        let reactor = try Reactor()
        let pair = try Pair()
        defer { close(pair.here) }
        let listener = Listener()
        try reactor.register(pair.here, [], listener)
        close(pair.there)
        try turn(reactor)
        #expect(listener.reports.first?.readiness.contains(.hangup) == true)
    }

    @Test func `a deregistered descriptor is silent and can be registered again`() throws {
        let reactor = try Reactor()
        let pair = try Pair()
        defer { pair.close() }
        let listener = Listener()
        try reactor.register(pair.here, .readable, listener)
        pair.say()
        reactor.deregister(pair.here)
        reactor.deregister(pair.here)
        reactor.want(pair.here, .readable)
        try turn(reactor)
        #expect(listener.reports.isEmpty && !reactor.isRegistered(pair.here))
        try reactor.register(pair.here, .readable, listener)
        try turn(reactor)
        #expect(listener.reports.count == 1)
    }

    @Test func `a descriptor that epoll refuses is not registered`() throws {
        let reactor = try Reactor()
        let pair = try Pair()
        defer { close(pair.there) }
        close(pair.here)
        #expect(throws: SystemError.self) { try reactor.register(pair.here, .readable, Listener()) }
        #expect(!reactor.isRegistered(pair.here))
        // Would end the process if the descriptor were taken for registered.
        reactor.want(pair.here, .writable)
    }

    @Test func `a report for a closed descriptor does not reach its successor of the same number`() throws {
        let reactor = try Reactor()
        let first = try Pair()
        let second = try Pair()
        let listener = Listener()
        let successor = Listener()
        var spare: [Int32] = []
        // Whichever is reported first replaces the other, whose report of the same turn is then stale.
        listener.onReady = { fd in
            guard spare.isEmpty else { return }
            let other = fd == first.here ? second.here : first.here
            reactor.deregister(other)
            close(other)
            let fresh = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
            spare = [fd, fresh]
            #expect(dup2(fresh, other) == other)
            #expect(throws: Never.self) { try reactor.register(other, .readable, successor) }
            spare.append(other)
        }
        try reactor.register(first.here, .readable, listener)
        try reactor.register(second.here, .readable, listener)
        first.say()
        second.say()
        try turn(reactor)
        #expect(listener.reports.count == 1)
        #expect(successor.reports.isEmpty, "a stale report")
        for fd in spare + [first.there, second.there] { close(fd) }
    }

    @Test func `a forgotten descriptor may be closed first`() throws {
        let reactor = try Reactor()
        let pair = try Pair()
        let listener = Listener()
        try reactor.register(pair.here, .readable, listener)
        pair.say()
        close(pair.here)
        reactor.forget(pair.here)
        #expect(!reactor.isRegistered(pair.here))
        try turn(reactor)
        #expect(listener.reports.isEmpty)
        close(pair.there)
    }

    @Test func `a descriptor closed behind our back gives its number to a successor`() throws {
        let reactor = try Reactor()
        let listener = Listener()
        let (pair, successor) = (try Pair(), try Pair())
        defer { successor.close() }
        try reactor.register(pair.here, .writable, listener)
        Glibc.close(pair.there)
        // Closes the old one in the same step, as libcurl does with a connection it gives up.
        #expect(dup2(successor.here, pair.here) == pair.here)
        defer { Glibc.close(pair.here) }
        reactor.want(pair.here, .readable)
        successor.say()
        try turn(reactor)
        #expect(listener.reports.map(\.fd) == [pair.here])
    }

    @Test func `the end of a turn comes after its reports and timers`() throws {
        let reactor = try Reactor()
        let pair = try Pair()
        defer { pair.close() }
        let listener = Listener()
        let waker = Waker()
        let timer = Timer(waker)
        var order: [String] = []
        listener.onReady = { _ in order.append("report \(waker.count)") }
        reactor.endOfTurn = { order.append("end \(waker.count)") }
        reactor.timers.set(timer, at: reactor.now)
        try reactor.register(pair.here, .readable, listener)
        pair.say()
        try reactor.turn()
        #expect(order == ["report 0", "end 1"])
    }

    @Test func `a turn waits for the next timer, not longer`() throws {
        let reactor = try Reactor()
        let waker = Waker()
        let timer = Timer(waker)
        let start = Clock.monotonic()
        reactor.timers.set(timer, at: start + 3000)
        while waker.count == 0 { try reactor.turn() }
        #expect(Clock.monotonic() - start >= 3000)
        #expect(reactor.now >= start + 3000)
    }

    @Test func `run ends when it is told to stop from within`() throws {
        let reactor = try Reactor()
        let pair = try Pair()
        defer { pair.close() }
        let listener = Listener()
        listener.onReady = { _ in reactor.stop() }
        try reactor.register(pair.here, .readable, listener)
        pair.say()
        try reactor.run()
        try reactor.run()
        #expect(listener.reports.count == 2)
    }
}
