// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Synchronization

/// Passwords that came over TCP, by the address that sent them: whoever goes on sending wrong ones has to wait. Shared by all workers.
final class SignIns: Sendable {
    enum Outcome: Equatable {
        case right, wrong
        /// It does not count; so many seconds until one does.
        case tooOften(UInt64)
    }

    /// Wrong ones in a row before the first wait: a person's slips, and a browser that sends the old password with each part of a page.
    private static let free = 5
    /// Longest wait, in seconds. The first is one second, each further failure doubles it.
    private static let longestWait: UInt64 = 60
    /// What an address has sent is forgotten after so long. Microseconds.
    private static let memory: UInt64 = 15 * 60 * 1_000_000
    /// Addresses that are remembered. Whoever has more of them is not kept from guessing by this.
    static let capacity = 256

    private struct Failures {
        var count = 0
        var last: UInt64 = 0
        var waitsUntil: UInt64 = 0
    }

    private let addresses = Mutex<[String: Failures]>([:])

    /// `host`: the caller's; `now` in monotonic microseconds. What `isRight` says is told to nobody who has to wait.
    func judge(from host: String, now: UInt64, isRight: Bool) -> Outcome {
        addresses.withLock { addresses in
            var failures = addresses[host] ?? Failures()
            if now < failures.waitsUntil { return .tooOften((failures.waitsUntil - now + 999_999) / 1_000_000) }
            if isRight {
                addresses[host] = nil
                return .right
            }
            if now > failures.last + Self.memory { failures = Failures() }
            failures.count += 1
            failures.last = now
            let doublings = failures.count - Self.free
            if doublings >= 0 {
                let seconds = min(Self.longestWait, 1 << UInt64(min(doublings, 6)))
                failures.waitsUntil = now + seconds * 1_000_000
            }
            if addresses[host] == nil, addresses.count >= Self.capacity,
                let oldest = addresses.min(by: { $0.value.last < $1.value.last })?.key
            {
                addresses[oldest] = nil
            }
            addresses[host] = failures
            return .wrong
        }
    }
}
