// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

extension AnswerObserver {
    /// The event that tells a caller why its stream breaks off, in the words of its API, to be written behind what was
    /// relayed. nil where the API has none, after the answer's own end, and in the middle of an event, where nothing
    /// may be added. The connection breaks after it all the same.
    package func closingEvent(_ problem: Problem) -> [UInt8]? {
        guard isAtBoundary, ending == .open else { return nil }
        guard var output = format.closing(problem, self) else { return nil }
        output.append(contentsOf: "\n\n".utf8)
        return output
    }
}
