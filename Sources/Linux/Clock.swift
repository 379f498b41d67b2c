// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux

/// The two clocks menshen reads; both in microseconds.
package enum Clock {
    /// Since an arbitrary start; never goes back.
    package static func monotonic() -> UInt64 { clinux_monotonic_us() }
    /// Since 1970-01-01 UTC; may jump.
    package static func wall() -> UInt64 { clinux_realtime_us() }
}
