// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Reactor

/// Connections that have had their share of this turn, and go on when the others have had theirs.
final class NextTurn: BeforeWait {
    private var waiting: [Connection] = []
    /// Counts the turns.
    private(set) var turn: UInt64 = 0

    func add(_ connection: Connection) { waiting.append(connection) }

    func isReadyToWait() -> Bool {
        turn &+= 1
        if waiting.isEmpty { return true }
        let batch = waiting
        waiting.removeAll(keepingCapacity: true)
        for connection in batch { connection.takeTurn() }
        return false
    }
}
