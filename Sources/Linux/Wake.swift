// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc

/// An eventfd: wakes the loop that polls it, from any thread.
package final class Wake: Sendable {
    package let descriptor: Int32

    package init() throws(SystemError) { descriptor = try SystemError.check(clinux_eventfd(), "eventfd") }
    deinit { close(descriptor) }

    package func signal() {
        var one: UInt64 = 1
        // EAGAIN means the counter is full: the loop is awake already.
        _ = write(descriptor, &one, 8)
    }

    package func clear() {
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
    }
}
