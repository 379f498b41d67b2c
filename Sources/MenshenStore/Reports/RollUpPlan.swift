// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// When roll-ups are made: some minutes after the first record of a process, for what there is from before, and then after the
/// end of each slot in which something was written. A process that lives for a moment makes none. Belongs to the store's thread.
struct RollUpPlan {
    /// Microseconds.
    private static let pause: UInt64 = 120_000_000

    /// Given the time, in seconds since 1970.
    private let start: (Int64) -> Void
    /// Monotonic microseconds; nil: nothing was written since the last time.
    private(set) var dueAt: UInt64?
    private var isFirst = true

    init(_ start: @escaping (Int64) -> Void) { self.start = start }

    mutating func hasWritten(_ settings: StoreSettings) {
        if dueAt == nil { plan(settings.monotonic(), settings.wall()) }
    }

    /// Both clocks in microseconds.
    private mutating func plan(_ now: UInt64, _ wall: UInt64) {
        if isFirst {
            dueAt = now + Self.pause
            isFirst = false
            return
        }
        let second = Int64(wall / 1_000_000)
        let end = (Slot.at(second) + 1) * Slot.seconds + RollUps.margin
        dueAt = now + UInt64(end - second) * 1_000_000
    }

    mutating func step(_ now: UInt64, _ settings: StoreSettings) {
        guard let dueAt, now >= dueAt else { return }
        self.dueAt = nil
        start(Int64(settings.wall() / 1_000_000))
    }
}
