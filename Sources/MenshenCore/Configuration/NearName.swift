// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Finds the known name somebody most likely meant.
package enum NearName {
    /// The nearest candidate, if it is near enough: one slip in three characters, and never more than three.
    package static func of(_ name: String, among candidates: some Sequence<String>) -> String? {
        // A longer name is no slip of the hand, and the comparison takes time in proportion to both lengths.
        guard name.utf8.count <= 64 else { return nil }
        let typed = Array(name.lowercased().utf8)
        let limit = min(3, max(1, typed.count / 3))
        var best: (name: String, distance: Int)?
        for candidate in candidates {
            let distance = distance(typed, Array(candidate.utf8))
            if distance <= limit, distance < best?.distance ?? .max { best = (candidate, distance) }
        }
        return best?.name
    }

    /// Insertions, deletions, replacements and swaps of neighbours that turn one text into the other.
    static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var previous: [Int] = []
        var row = Array(0...right.count)
        for i in 0..<left.count {
            var next = [i + 1]
            next.reserveCapacity(right.count + 1)
            for j in 0..<right.count {
                var cost = min(row[j] + (left[i] == right[j] ? 0 : 1), row[j + 1] + 1, next[j] + 1)
                if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
                    cost = min(cost, previous[j - 1] + 1)
                }
                next.append(cost)
            }
            previous = row
            row = next
        }
        return row[right.count]
    }
}
