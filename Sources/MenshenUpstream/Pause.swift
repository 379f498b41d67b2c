// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Whether the receiver of an answer takes more of it now, and what it has left: so many bytes of body, and behind them
/// bytes not looked at.
struct Pause {
    private enum State {
        case off
        case on
        /// It ends with the engine's next start.
        case ending
    }

    private var state = State.off
    private var left: [UInt8] = []
    private var body = 0

    var isOn: Bool { state != .off }

    mutating func begin(keeping left: [UInt8], body: Int) {
        state = .on
        self.left = left
        self.body = body
    }

    /// More has come that was not looked at.
    mutating func keep(_ bytes: UnsafeRawBufferPointer) { left.append(contentsOf: bytes) }

    /// True if it is to be ended at the turn's end, and was not yet.
    mutating func scheduleEnd() -> Bool {
        guard state == .on else { return false }
        state = .ending
        return true
    }

    /// True if it is this that the engine's start is for.
    mutating func endIfDue() -> Bool {
        guard state == .ending else { return false }
        state = .off
        return true
    }

    /// Gives back what was left.
    mutating func takeLeft() -> (bytes: [UInt8], body: Int) {
        let was = (left, body)
        left = []
        body = 0
        return was
    }

    /// True if the engine is still to start what has been forgotten.
    mutating func forget() -> Bool {
        let wasEnding = state == .ending
        state = .off
        if !left.isEmpty { left = [] }
        body = 0
        return wasEnding
    }
}
