// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// How far a request under way has come, as `/_menshen/live`, `menshen top` and the dashboard say it.
package enum OpenState: String, Sendable, CaseIterable {
    /// It still comes in.
    case reading
    /// For the cache, a key, what was spent before, or the record's receipt.
    case waiting
    /// For a place at its provider.
    case queued
    /// The provider has it, or gets it; nothing of the answer goes down yet.
    case asked
    /// The answer goes down: whole, or as a stream, of which a WebSocket is one.
    case answering, streaming
}
