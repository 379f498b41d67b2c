// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// How long the tests with generated input run, and from which seed.
package enum Fuzzing {
    /// MENSHEN_FUZZ_CASES asks for more than the few that every run tries.
    package static func cases(_ usual: Int) -> Int { environment("MENSHEN_FUZZ_CASES").flatMap { Int($0) } ?? usual }

    /// MENSHEN_FUZZ_SEED repeats a run.
    package static func seed(_ what: String, _ cases: Int) -> UInt64 {
        let seed = environment("MENSHEN_FUZZ_SEED").flatMap { UInt64($0) } ?? UInt64.random(in: .min ... .max)
        print("\(what): seed \(seed), \(cases) cases")
        return seed
    }

    private static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}

/// SplitMix64: small, and the same on every run with the same seed.
package struct SeededGenerator: RandomNumberGenerator {
    package var state: UInt64

    package init(state: UInt64) { self.state = state }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    package mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }
    package mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
    package mutating func pick<Item>(_ items: [Item]) -> Item { items[Int.random(in: 0..<items.count, using: &self)] }

    /// Where a text of `count` bytes is cut on its way; sometimes everywhere.
    package mutating func cuts(_ count: Int) -> [Int] {
        guard count > 1 else { return [] }
        if chance(20) { return Array(1..<count) }
        return (0..<number(0...6)).map { _ in number(0...count) }.sorted()
    }

    /// One change: a bit, a byte, something put in, cut out, repeated or cut off.
    package mutating func damage(_ bytes: inout [UInt8], _ insertions: [[UInt8]]) {
        guard bytes.count > 1 else { return }
        let place = number(0...bytes.count - 1)
        switch number(0...7) {
        case 0: bytes[place] ^= UInt8(1) << UInt8(number(0...7))
        case 1: bytes[place] = UInt8.random(in: 0...255, using: &self)
        case 2, 3: bytes.insert(contentsOf: pick(insertions), at: place)
        case 4: bytes.remove(at: place)
        case 5: bytes.removeLast(bytes.count - place)
        case 6: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + number(1...20))], at: place)
        default: bytes.removeSubrange(place..<min(bytes.count, place + number(1...20)))
        }
    }
}
