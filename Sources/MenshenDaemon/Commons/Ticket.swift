// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import Reactor

/// A request that waits for something which another worker may bring. Exchanges stay on their threads; this goes between them.
struct Ticket: Sendable {
    /// No two of a process are the same.
    let id: RequestID
    /// Where its worker hears of it.
    let mailbox: Mailbox<WorkerMessage>
}
