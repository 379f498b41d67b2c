// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A bounded queue in which each caller has its turn: first come, first served within a caller, and one after the other
/// among callers, so that one with a hundred requests does not keep another's only one waiting.
package struct FairQueue<Element> {
    private struct Line {
        var caller: String
        var waiting: [Element]
    }

    /// Whose turn is next stands first.
    private var lines: [Line] = []
    package private(set) var count = 0
    private let limit: Int

    package init(limit: Int) { self.limit = limit }

    package var isEmpty: Bool { count == 0 }

    /// false: the queue is full.
    package mutating func append(_ element: Element, of caller: String) -> Bool {
        if count >= limit { return false }
        count += 1
        if let index = lines.firstIndex(where: { $0.caller == caller }) {
            lines[index].waiting.append(element)
        } else {
            lines.append(Line(caller: caller, waiting: [element]))
        }
        return true
    }

    package mutating func popFirst() -> Element? {
        guard !lines.isEmpty else { return nil }
        var line = lines.removeFirst()
        let element = line.waiting.removeFirst()
        count -= 1
        if !line.waiting.isEmpty { lines.append(line) }
        return element
    }

    package mutating func removeAll(where isUnwanted: (Element) -> Bool) {
        for index in lines.indices { lines[index].waiting.removeAll(where: isUnwanted) }
        lines.removeAll { $0.waiting.isEmpty }
        count = lines.reduce(0) { $0 + $1.waiting.count }
    }
}
