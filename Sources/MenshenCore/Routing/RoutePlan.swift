// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Who is asked next, after an attempt. One request's way through providers and their keys: each at most once, in the order that was
/// drawn, until the deadline. It decides; dialling is somebody else's.
package struct RoutePlan: Sendable {
    package struct Try: Sendable, Equatable {
        package let provider: Int
        /// Place in the provider's pool of keys.
        package let key: Int
        /// The key's source is to be read anew; only worth a try if that gives another key.
        package var rereads = false

        package init(provider: Int, key: Int, rereads: Bool = false) {
            self.provider = provider
            self.key = key
            self.rereads = rereads
        }
    }

    /// Finds a key of a provider that may be used now, other than those.
    package typealias KeyFinder = (_ provider: Int, _ tried: [Int]) -> Int?

    package private(set) var order: [Int]
    /// Monotonic microseconds.
    package let deadline: UInt64
    /// Providers whose refused key may be read anew.
    private let rereadable: Set<Int>
    private var position = 0
    private var current: Try?
    /// Keys of the current provider.
    private var tried: [Int] = []
    private var hasReread = false
    private var hasRetried = false

    /// `order`: providers as they are to be tried.
    package init(order: [Int], rereadable: Set<Int>, deadline: UInt64) {
        self.order = order
        self.rereadable = rereadable
        self.deadline = deadline
    }

    /// Gives up every further try: the request's body is gone.
    package mutating func close() { self = RoutePlan(order: [], rereadable: [], deadline: 0) }

    package mutating func first(_ find: KeyFinder) -> Try? { nextProvider(find) }

    /// nil: the last try was the last.
    package mutating func next(after outcome: AttemptOutcome, now: UInt64, _ find: KeyFinder) -> Try? {
        guard let last = current, now < deadline, !order.isEmpty else { return nil }
        switch outcome.remedy {
        case .none: return nil
        case .otherProvider: return nextProvider(find)
        case .otherKey:
            if !hasReread, rereadable.contains(last.provider) {
                hasReread = true
                current?.rereads = true
                return current
            }
            return nextKey(last, find)
        case .otherKeyOrProvider: return nextKey(last, find) ?? nextProvider(find)
        }
    }

    /// The present try goes with that key: the one that was found may be limited by the time it has its place.
    package mutating func take(key: Int) -> Try? {
        if let last = current, last.key != key { current = Try(provider: last.provider, key: key) }
        return current
    }

    /// Those that are full come after the others that are still to be asked.
    package mutating func postpone(where isFull: (Int) -> Bool) {
        let rest = order[position...]
        order = order[..<position] + rest.filter { !isFull($0) } + rest.filter(isFull)
    }

    /// Those that are still to be asked and are unfit are not.
    package mutating func drop(where isUnfit: (Int) -> Bool) {
        order = order[..<position] + order[position...].filter { !isUnfit($0) }
    }

    /// The provider that would be asked next.
    package func upcoming(_ find: KeyFinder) -> Int? { order[position...].first { find($0, []) != nil } }

    /// The same provider once more, if it may be asked now.
    package mutating func again(now: UInt64, _ find: KeyFinder) -> Try? {
        guard !hasRetried, now < deadline, let last = current, let key = find(last.provider, tried) else { return nil }
        hasRetried = true
        current = Try(provider: last.provider, key: key)
        return current
    }

    /// Whether `next` would find anything.
    package func hasNext(after outcome: AttemptOutcome, now: UInt64, _ find: KeyFinder) -> Bool {
        var copy = self
        return copy.next(after: outcome, now: now, find) != nil
    }

    private mutating func nextKey(_ last: Try, _ find: KeyFinder) -> Try? {
        tried.append(last.key)
        guard let key = find(last.provider, tried) else { return nil }
        hasReread = false
        current = Try(provider: last.provider, key: key)
        return current
    }

    private mutating func nextProvider(_ find: KeyFinder) -> Try? {
        while position < order.count {
            let provider = order[position]
            position += 1
            guard let key = find(provider, []) else { continue }
            tried = []
            hasReread = false
            hasRetried = false
            current = Try(provider: provider, key: key)
            return current
        }
        return nil
    }
}
