// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Reactor

/// The order of a worker's connections in its turns: those with something to do at the end of this one, and those that have
/// had their share of it and go on in the next, when the others have had theirs.
final class Turns: BeforeWait {
    /// Counts the turns.
    private(set) var number: UInt64 = 0
    private var atEnd: [Connection] = []
    private var inNext: [Connection] = []

    var hasWork: Bool { !atEnd.isEmpty }

    func addToEnd(_ connection: Connection) { atEnd.append(connection) }
    func addToNext(_ connection: Connection) { inNext.append(connection) }

    func isReadyToWait() -> Bool {
        number &+= 1
        if inNext.isEmpty { return true }
        let batch = inNext
        inNext.removeAll(keepingCapacity: true)
        for connection in batch { connection.takeTurn() }
        return false
    }

    /// A connection may add others, or itself again, while it is served.
    func end() {
        var index = 0
        while index < atEnd.count {
            atEnd[index].endOfTurn()
            index += 1
        }
        atEnd.removeAll(keepingCapacity: true)
    }
}

/// Where one connection stands in them.
struct TurnPlace {
    /// Requests of one connection that begin in one turn; others come in between.
    private static let share = 16

    private var turn: UInt64 = 0
    private var begun = 0
    /// It goes on in the next turn.
    var isInNext = false
    /// It is served at the end of this one.
    var isAtEnd = false
    /// Input that had to wait may be taken up.
    var mayGoOn = false

    /// Whether another request may begin in this turn.
    mutating func mayBegin(in turn: UInt64) -> Bool {
        if turn != self.turn {
            self.turn = turn
            begun = 0
        }
        begun += 1
        return begun <= Self.share
    }
}
