// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import Linux

/// Told when a descriptor it registered is ready.
package protocol ReadinessHandler: AnyObject {
    func ready(_ descriptor: Int32, _ readiness: Readiness)
}

/// Asked before the loop waits; does what has come up meanwhile.
package protocol BeforeWait: AnyObject {
    /// false: something was done, so the loop turns once more before it waits.
    func isReadyToWait() -> Bool
}

/// One event loop: epoll, timers, and a list of things to do at the end of a turn. One thread owns it and everything
/// registered with it; only `Mailbox` crosses threads.
package final class Reactor {
    private struct Slot {
        var handler: (any ReadinessHandler)?
        var interest: Readiness = []
        /// Tells a report about a closed descriptor from one about its successor of the same number.
        var generation: UInt32 = 0
    }

    private let epoll: Epoll
    private var slots: [Slot] = []
    private var isStopped = false
    package let timers = TimerQueue()
    /// Monotonic microseconds as of the end of this turn's wait.
    package private(set) var now: UInt64
    /// Held as long as the reactor lives.
    package var beforeWait: [any BeforeWait] = []
    /// Called once each turn after all reports and timers.
    package var endOfTurn: (() -> Void)?

    /// nil: the kernel's. A test gives one that it turns itself.
    private let clock: (() -> UInt64)?

    /// `clock`: where time comes from in place of the kernel, in microseconds.
    package init(clock: (() -> UInt64)? = nil) throws(SystemError) {
        epoll = try Epoll()
        self.clock = clock
        now = clock?() ?? Clock.monotonic()
    }

    /// The clock as it stands; `now` is the same for all that one turn does.
    package var time: UInt64 { clock?() ?? Clock.monotonic() }

    // MARK: Descriptors

    package func register(
        _ fd: Int32, _ interest: Readiness, _ handler: any ReadinessHandler, isShared: Bool = false
    ) throws(SystemError) {
        while slots.count <= Int(fd) { slots.append(Slot()) }
        let generation = slots[Int(fd)].generation &+ 1
        try epoll.add(fd, interest, token: Self.token(fd, generation), isShared: isShared)
        slots[Int(fd)] = Slot(handler: handler, interest: interest, generation: generation)
    }

    package func isRegistered(_ fd: Int32) -> Bool { Int(fd) < slots.count && slots[Int(fd)].handler != nil }

    /// Changes what is wanted; no system call if nothing changes.
    package func want(_ fd: Int32, _ interest: Readiness) {
        let index = Int(fd)
        guard index < slots.count, slots[index].interest != interest, slots[index].handler != nil else { return }
        slots[index].interest = interest
        let token = Self.token(fd, slots[index].generation)
        do {
            try epoll.modify(fd, interest, token: token)
        } catch {
            // libcurl closes some sockets without a word; this is another one of the same number.
            do { try epoll.add(fd, interest, token: token) } catch {
                preconditionFailure("a registered descriptor left epoll: \(error)")
            }
        }
    }

    /// Forgets a descriptor; its owner closes it afterwards.
    package func deregister(_ fd: Int32) {
        guard isRegistered(fd) else { return }
        epoll.remove(fd)
        forget(fd)
    }

    /// Forgets a descriptor that is closed by its owner right now, or was: closing takes it out of epoll.
    package func forget(_ fd: Int32) {
        guard isRegistered(fd) else { return }
        slots[Int(fd)].handler = nil
        slots[Int(fd)].interest = []
    }

    private static func token(_ fd: Int32, _ generation: UInt32) -> UInt64 {
        UInt64(generation) << 32 | UInt64(UInt32(bitPattern: fd))
    }

    // MARK: Running

    /// Runs until `stop` is called from within.
    package func run() throws(SystemError) {
        isStopped = false
        while !isStopped { try turn() }
    }

    package func stop() { isStopped = true }

    /// Waits for reports or the next timer, and serves them. `mayWait`: false serves what there is.
    package func turn(mayWait: Bool = true) throws(SystemError) {
        now = time
        var isIdle = true
        for asked in beforeWait where !asked.isReadyToWait() { isIdle = false }
        if !isIdle { endOfTurn?() }
        let wait = mayWait && isIdle ? timers.next.map { $0 > now ? $0 - now : 0 } : 0
        let reports = try epoll.wait(timeout: wait)
        // After the wait: what happens in this turn did not begin before it.
        now = time
        for index in 0..<reports {
            let (token, readiness) = epoll.report(index)
            dispatch(Int(UInt32(truncatingIfNeeded: token)), UInt32(token >> 32), readiness)
        }
        timers.fire(at: now)
        endOfTurn?()
    }

    private func dispatch(_ fd: Int, _ generation: UInt32, _ readiness: Readiness) {
        guard fd < slots.count, slots[fd].generation == generation, let handler = slots[fd].handler else { return }
        handler.ready(Int32(fd), readiness)
    }
}
