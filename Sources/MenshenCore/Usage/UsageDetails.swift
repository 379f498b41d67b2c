// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

extension Usage {
    /// What few answers report. It stands apart, so that the usage of all others is copied for the price of one empty reference.
    struct Details: Sendable, Equatable {
        var lifetimes: [CacheWrite] = []
        var statedCost: Money?
        var speed: String?
        var inferenceGeo: String?

        fileprivate static let none = Details()
    }

    /// Never changed: each change makes another.
    final class Box: Sendable, Equatable {
        let details: Details

        init(_ details: Details) { self.details = details }

        static func == (one: Box, other: Box) -> Bool { one.details == other.details }
    }

    private func read<Value>(_ part: (Details) -> Value) -> Value { part(box?.details ?? .none) }

    /// `isNothing`: the new value says no more than that there is none.
    private mutating func change(_ isNothing: Bool, _ change: (inout Details) -> Void) {
        if isNothing, box == nil { return }
        var details = box?.details ?? .none
        change(&details)
        box = details == .none ? nil : Box(details)
    }

    /// The parts of what was written to a cache whose lifetime is known; none of no tokens, and none twice.
    package var lifetimes: [CacheWrite] {
        get { read(\.lifetimes) }
        set { change(newValue.isEmpty) { $0.lifetimes = newValue } }
    }

    /// What the provider itself says it charges.
    package var statedCost: Money? {
        get { read(\.statedCost) }
        set { change(newValue == nil) { $0.statedCost = newValue } }
    }

    /// How fast, and where, the provider says it worked, if it has prices for that.
    package var speed: String? {
        get { read(\.speed) }
        set { change(newValue == nil) { $0.speed = newValue } }
    }

    package var inferenceGeo: String? {
        get { read(\.inferenceGeo) }
        set { change(newValue == nil) { $0.inferenceGeo = newValue } }
    }
}
