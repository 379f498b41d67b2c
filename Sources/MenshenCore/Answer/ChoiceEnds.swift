// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Which of an answer's choices were seen, and which of them have ended. No API gives more than 128; one beyond that never ends.
struct ChoiceEnds: Sendable {
    private var seen: UInt128 = 0
    private var ended: UInt128 = 0

    mutating func see(_ index: Int64, hasEnded: Bool) {
        let bit: UInt128 = 1 << UInt128(min(max(index, 0), 127))
        seen |= bit
        if hasEnded, index < 128 { ended |= bit }
    }

    var areAll: Bool { seen != 0 && seen == ended }
}
