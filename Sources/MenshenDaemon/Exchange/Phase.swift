// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

extension Exchange {
    /// Where a request is in its life, and with that what its one timer means.
    enum Phase {
        /// Policy goes by the caller's project, which is being looked for. The timer: look again.
        case awaitingProject(ProjectWait)
        /// The request comes in and is read. The timer: reads on in a compressed body.
        case reading
        /// A page of menshen's own reads a body, or waits for what it is made of.
        case visiting(PageVisit)
        /// A browser is told of changes. The timer: look whether there are any.
        case following(ChangeStream)
        /// The cache is asked, or another request brings the answer.
        case recalling
        /// What was spent before, which limits go by, is being read. The timer: look again.
        case awaitingSpending
        /// Waits for a place at the provider. The timer: its queue_timeout.
        case queued
        /// A command that prints the provider's key runs.
        case awaitingKey
        /// Nothing goes out before the store has said that it has the intent.
        case awaitingReceipt
        /// The provider has the request, or gets it. The timer: the deadline of all attempts or of a stream's beginning, or a
        /// look at a slow upload.
        case asking
        /// The rest of an answer is read that is not passed on. The timer: it takes too long.
        case discarding
        /// The answer's beginning is held back: it may be an error. The timer: it was held for long enough, or too long.
        case judging
        /// The attempt has failed; the next begins at the end of the turn. The problem is the caller's if there is none.
        indirect case changing(AttemptOutcome, Problem)
        /// The answer goes down. The timer: a look at a slow reader.
        case relaying
        /// The stream has said its last word. The timer: its transport does not end.
        case closing
        /// A stored answer goes down.
        case replaying
        /// The answer is written; the connection goes on once its record is safe.
        case ending(Ending)
        /// Nothing is awaited, and nothing comes of what still arrives.
        case over
    }

    /// What becomes of the connection behind the answer.
    enum Ending {
        case keepAlive(Bool)
        case breakOff(needsReset: Bool)
    }
}

extension Exchange.Phase {
    /// The answer is given, or nobody is there to take it.
    var isOver: Bool {
        switch self {
        case .ending, .over: true
        default: false
        }
    }
}
