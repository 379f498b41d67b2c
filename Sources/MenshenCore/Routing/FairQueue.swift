// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A bounded queue in which each caller has its turn: first come, first served within a caller, and one after the other
/// among callers, so that one with a hundred requests does not keep another's only one waiting, nor out of a full queue.
package struct FairQueue<Element> {
    package enum Admission {
        /// `displacing`: the last one of the caller who had most in a full queue; it waits no more.
        case admitted(displacing: Element?)
        case full
    }

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

    package mutating func append(_ element: Element, of caller: String) -> Admission {
        let own = lines.firstIndex { $0.caller == caller }
        var displaced: Element?
        if count >= limit {
            let mine = own.map { lines[$0].waiting.count } ?? 0
            guard let longest = lines.indices.max(by: { lines[$0].waiting.count < lines[$1].waiting.count }),
                lines[longest].waiting.count > mine + 1
            else { return .full }
            displaced = lines[longest].waiting.removeLast()
            count -= 1
        }
        count += 1
        if let own {
            lines[own].waiting.append(element)
        } else {
            lines.append(Line(caller: caller, waiting: [element]))
        }
        return .admitted(displacing: displaced)
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
