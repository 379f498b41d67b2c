// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore
internal import Synchronization

/// What a provider's last answers have said of the limits of each of its keys, to any worker. An answer that says nothing of them takes
/// no lock.
final class SharedHeadroom: Sendable {
    private let keys: Mutex<[Headroom]>

    init(keys: Int) { self.keys = Mutex(Array(repeating: Headroom(), count: keys)) }

    var value: [Headroom] { keys.withLock { $0 } }

    /// `now`: monotonic microseconds.
    func note(_ head: ResponseHead, key: Int, now: UInt64) {
        guard Headroom.isSaid(in: head) else { return }
        keys.withLock { $0[key].note(head, at: now) { Clock.wall() } }
    }

    /// Other keys have other limits.
    func forget() { keys.withLock { $0 = Array(repeating: Headroom(), count: $0.count) } }
}
