// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc

/// What a descriptor is ready for, or what is wanted of it.
package struct Readiness: OptionSet, Sendable {
    package let rawValue: UInt32
    @inlinable package init(rawValue: UInt32) { self.rawValue = rawValue }
    /// OptionSet's own goes through a generic sequence, 500 instructions for `[]`.
    @inlinable package init(arrayLiteral elements: Readiness...) {
        rawValue = elements.reduce(0) { $0 | $1.rawValue }
    }

    package static let readable = Readiness(rawValue: 1)
    package static let writable = Readiness(rawValue: 2)
    /// Both directions are closed; always reported.
    package static let hangup = Readiness(rawValue: 4)
    /// Always reported.
    package static let error = Readiness(rawValue: 8)
    /// Reading will not block: there are bytes, the end, or an error to be had.
    package static let input = Readiness(rawValue: 1 | 4 | 8)
}

/// One epoll instance and the memory its reports arrive in. One thread owns it.
package final class Epoll {
    private let descriptor: Int32
    private let events: UnsafeMutableBufferPointer<clinux_event>

    package init() throws(SystemError) {
        descriptor = try SystemError.check(clinux_epoll_create(), "epoll_create1")
        events = .allocate(capacity: 256)
    }

    deinit {
        events.deallocate()
        close(descriptor)
    }

    /// `isShared` wakes one of several loops that wait on the same listening socket.
    package func add(_ fd: Int32, _ interest: Readiness, token: UInt64, isShared: Bool = false) throws(SystemError) {
        try SystemError.check(
            clinux_epoll_add(descriptor, fd, interest.rawValue, token, isShared ? 1 : 0), "epoll_ctl add", "\(fd)")
    }

    package func modify(_ fd: Int32, _ interest: Readiness, token: UInt64) throws(SystemError) {
        try SystemError.check(
            clinux_epoll_modify(descriptor, fd, interest.rawValue, token), "epoll_ctl modify", "\(fd)")
    }

    /// A descriptor that was closed already is no fault: closing takes it out.
    package func remove(_ fd: Int32) { _ = clinux_epoll_remove(descriptor, fd) }

    /// Waits at most `timeout` microseconds (nil: for ever); returns how many reports there are.
    package func wait(timeout: UInt64?) throws(SystemError) -> Int {
        let limit = timeout.map { Int64(min($0, 60_000_000)) } ?? -1
        return Int(
            try SystemError.check(
                clinux_epoll_wait(descriptor, events.baseAddress, Int32(events.count), limit), "epoll_wait"))
    }

    /// One report of the last wait.
    package func report(_ index: Int) -> (token: UInt64, readiness: Readiness) {
        (events[index].token, Readiness(rawValue: events[index].ready))
    }
}
