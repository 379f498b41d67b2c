// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// Something that happens once or several times and is waited for in other threads; it counts, so none is missed.
package final class Signal: Sendable {
    /// Milliseconds. No wait of a test takes longer: what has not happened then will not.
    package static let patience: Int32 = 20_000

    /// Readable while something has happened that nobody has waited for.
    package let descriptor: Int32
    private let raised: Int32

    package init() throws {
        var ends: [Int32] = [-1, -1]
        let kind = [SOCK_STREAM, SOCK_CLOEXEC, SOCK_NONBLOCK].reduce(0) { $0 | Int32($1.rawValue) }
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { throw TestFailure("socketpair: errno \(errno)") }
        (descriptor, raised) = (ends[0], ends[1])
    }

    deinit {
        close(descriptor)
        close(raised)
    }

    package func raise() {
        var one: UInt8 = 1
        _ = Glibc.write(raised, &one, 1)
    }

    /// Returns when it has happened; fails after `patience`, or when `other` becomes readable first.
    package func wait(_ what: String = "a signal", orUntil other: Int32 = -1) throws {
        var one: UInt8 = 0
        while Glibc.read(descriptor, &one, 1) != 1 {
            var polls = [
                pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: other, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&polls, 2, Self.patience)
            if ready < 0, errno == EINTR { continue }
            if ready <= 0 { throw TestFailure("\(what) did not happen within \(Self.patience / 1000) s") }
            if polls[0].revents == 0 { throw TestFailure("\(what) did not happen, and now cannot") }
        }
    }
}
