// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Crypto
internal import MenshenCore
internal import MenshenPages
internal import MenshenStore
internal import Reactor

/// What reaches a worker from other threads.
enum WorkerMessage: Sendable {
    case receipts([AuditReceipt])
    /// A provider's key command has ended, under the configuration to which these belong.
    case key(provider: Int, KeyCommands)
    /// There is news of a request that waits for a place.
    case place(RequestID)
    /// The request that this one followed is over, or has left it its place. nil: it asks for itself.
    case flight(RequestID, CachedAnswer?)
    case recalled(RequestID, CacheLookup)
    case recent(RequestID, [RequestRecord])
    /// A page of the dashboard is made.
    case drawn(RequestID, PageAnswer)
    /// Another worker, whose mailbox it is, wants to know what this one knows; `listing`: with what is under way.
    case survey(RequestID, for: Mailbox<WorkerMessage>, listing: Bool)
    /// What another worker knows.
    case surveyed(RequestID, Survey)
    /// What came of an act on the tokens, for the worker that asked for it.
    case administered(RequestID, Result<TokenOutcome, Problem>)
    case listed(RequestID, Result<[GivenToken], Problem>)
    /// Their store has others now; what is under way with one of `cut` ends. Whoever waits for that is told.
    case tokens(cut: Set<Digest>, RequestID, for: Mailbox<WorkerMessage>?)
    /// Another worker judges by them.
    case tokensTaken(RequestID)
    /// A new configuration, for requests that begin from now on.
    case install(Snapshot)
    /// Stop accepting; finish what is under way by the deadline (monotonic microseconds), then end.
    case drain(deadline: UInt64)
    case ping
}

/// What workers tell the thread that supervises them.
enum ControlMessage: Sendable {
    case pong(worker: Int)
    /// Requests that begin from now on go by the last configuration that was sent.
    case installed
    /// Another token was given out, or one was taken away.
    case tokensChanged
    /// The worker's loop has ended; a text says why if that was not asked for.
    case ended(worker: Int, failure: String?)
}
