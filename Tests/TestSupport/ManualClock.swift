// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A clock that only the test turns, in microseconds.
package final class ManualClock {
    /// Not near 0: a deadline of long ago must not be taken for one that is to come.
    package private(set) var now: UInt64 = 1_000_000_000_000

    package init() {}

    package func turn(seconds: Double) { now += UInt64(seconds * 1_000_000) }
}
