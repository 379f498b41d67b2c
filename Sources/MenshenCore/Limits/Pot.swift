// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// One limit of one holder: what was spent in its window, and what requests under way have reserved. What may be spent is no
/// part of it, so that a limit can change while requests are under way. Times are seconds since 1970.
package struct Pot: Sendable {
    /// What belongs to one reservation, for its end.
    package struct Slip: Sendable, Equatable {
        /// Counts the pot's windows; of a rolling one, the piece of time.
        fileprivate let window: Int64
        let amount: Int64

        /// Nothing is reserved yet.
        static let none = Self(window: 0, amount: 0)
    }

    /// A clock that steps back by less than this steps back no window.
    private static let smallStep: Int64 = 3600

    private let window: Limit.Window
    /// What was spent in a window that is rolling; nil for one of the calendar.
    private var recent: RecentSpending?
    private var total: Int64 = 0
    package private(set) var reserved: Int64 = 0
    private(set) var span: Range<Int64>
    private var number: Int64 = 0
    /// What was spent before the pot was made is known, or does not count any more.
    package private(set) var isKnown = false
    private let madeAt: Int64
    /// Per cent of the limit that somebody was told about in this window.
    private(set) var told = 0
    private var toldAt: Int64 = 0

    init(_ window: Limit.Window, at now: Int64, _ zone: ZoneRules) {
        self.window = window
        span = window.span(at: now, in: zone)
        madeAt = now
        if case .rolling(let seconds) = window { recent = RecentSpending(seconds, at: now) }
    }

    package var spent: Int64 { recent?.total ?? total }

    /// From when on what was spent counts; `Int64.min` for ever.
    var begin: Int64 { recent?.begin ?? span.lowerBound }

    /// Time has passed.
    mutating func advance(to now: Int64, _ zone: ZoneRules) {
        if case .rolling(let seconds) = window {
            recent?.advance(to: now)
            if told > 0, now - toldAt >= seconds { told = 0 }
            if !isKnown, begin > madeAt { isKnown = true }
        } else if now >= span.upperBound {
            span = window.span(at: now, in: zone)
            number += 1
            total = 0
            reserved = 0
            told = 0
            isKnown = true
        } else if now < span.lowerBound, span.lowerBound - now > Self.smallStep {
            // The clock had been wrong. What was spent may belong to this window, so it stays.
            span = window.span(at: now, in: zone)
        }
    }

    /// Whether so much more may be reserved.
    func hasRoom(for amount: Int64, of limit: Int64) -> Bool {
        spent.saturatingAdd(reserved).saturatingAdd(amount) <= limit
    }

    mutating func reserve(_ amount: Int64) -> Slip {
        reserved = reserved.saturatingAdd(amount)
        return Slip(window: recent?.newest ?? number, amount: amount)
    }

    /// A request under way needs so much more than it has reserved; nil: its window is over, and nothing of it counts here.
    mutating func extend(_ slip: Slip, by amount: Int64) -> Slip? {
        guard counts(slip) else { return nil }
        reserved = reserved.saturatingAdd(amount)
        return Slip(window: slip.window, amount: slip.amount.saturatingAdd(amount))
    }

    /// What the slip's request spends counts in the present window.
    func counts(_ slip: Slip) -> Bool { recent != nil || slip.window == number }

    /// The request has spent `amount`. It counts in the window in which it was admitted, as its record does.
    mutating func settle(_ slip: Slip, _ amount: Int64) {
        if recent != nil {
            reserved = max(0, reserved.saturatingAdd(-slip.amount))
            recent?.add(amount, slip.window)
        } else if slip.window == number {
            reserved = max(0, reserved.saturatingAdd(-slip.amount))
            total = total.saturatingAdd(amount)
        }
    }

    /// A request of before, from its record.
    mutating func addPast(_ amount: Int64, at time: Int64) {
        if recent != nil {
            recent?.addPast(amount, at: time)
        } else if time >= span.lowerBound {
            total = total.saturatingAdd(amount)
        }
    }

    mutating func becomeKnown() { isKnown = true }

    mutating func tell(_ percent: Int, at now: Int64) {
        told = percent
        toldAt = now
    }

    /// When `amount` has room, if nothing else is spent meanwhile; nil for never.
    func opens(for amount: Int64, of limit: Int64, at now: Int64) -> Int64? {
        if let recent {
            let rest = limit.saturatingAdd(-amount)
            let free = rest.saturatingAdd(-reserved)
            // What others have reserved is free again before its window is.
            return recent.time(when: free >= 0 ? free : rest).map { max($0, now + 1) }
        }
        return span.upperBound == .max ? nil : span.upperBound
    }
}

/// What was spent in a rolling window, in up to sixty pieces of time and the present one. A piece is dropped whole, when its last
/// second has left the window: nothing is forgotten early, and an amount counts for at most two pieces too long.
private struct RecentSpending: Sendable {
    private static let mostPieces: Int64 = 60

    /// Of a piece, in seconds.
    private let width: Int64
    /// As many as cover the window.
    private let pieces: Int64
    private var amounts: [Int64]
    /// Number of the present piece: its time divided by `width`.
    private(set) var newest: Int64
    private(set) var total: Int64 = 0

    init(_ seconds: Int64, at now: Int64) {
        width = max(1, (seconds + Self.mostPieces - 1) / Self.mostPieces)
        pieces = (seconds + width - 1) / width
        amounts = Array(repeating: 0, count: Int(pieces) + 1)
        newest = now.floored(by: width)
    }

    private var oldest: Int64 { newest - pieces }

    var begin: Int64 { oldest * width }

    private func place(_ piece: Int64) -> Int { Int(piece - piece.floored(by: pieces + 1) * (pieces + 1)) }

    mutating func advance(to now: Int64) {
        let present = now.floored(by: width)
        if present > newest {
            for piece in newest + 1...min(present, newest + pieces + 1) { drop(piece) }
            newest = present
        } else if newest * width - now > 3600 + width {
            // The clock had been wrong. What was spent stays, as if it had been just now.
            for index in amounts.indices { amounts[index] = 0 }
            newest = present
            amounts[place(newest)] = total
        }
    }

    /// A piece begins where the one of a window before was.
    private mutating func drop(_ piece: Int64) {
        total -= amounts[place(piece)]
        amounts[place(piece)] = 0
    }

    mutating func add(_ amount: Int64, _ piece: Int64) {
        let piece = min(piece, newest)
        guard piece >= oldest else { return }
        let room = Int64.max - total
        let added = min(amount, room)
        amounts[place(piece)] += added
        total += added
    }

    mutating func addPast(_ amount: Int64, at time: Int64) { add(amount, time.floored(by: width)) }

    /// When no more than `rest` is left; nil if less than nothing would have to be.
    func time(when rest: Int64) -> Int64? {
        guard rest >= 0 else { return nil }
        var left = total
        for piece in oldest...newest {
            left -= amounts[place(piece)]
            if left <= rest { return (piece + pieces + 1) * width }
        }
        return nil
    }
}

extension Int64 {
    /// The sum, which stops at the largest and the smallest number.
    package func saturatingAdd(_ other: Int64) -> Int64 {
        let (sum, isOver) = addingReportingOverflow(other)
        return isOver ? (other > 0 ? .max : .min) : sum
    }
}
