// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CSSL

/// What makes the next handshakes with the same provider short: its last tickets. Each is used once, so that nobody on the way
/// can tell two connections to belong together. For one host, port and choice of authorities: libssl looks at no name when it
/// resumes. Belongs to one thread.
package final class Tickets {
    /// For a burst of new connections: each brings as many as it takes.
    private static let limit = 64
    /// The newest last.
    private var sessions: [OpaquePointer] = []

    package init() {}

    deinit { for session in sessions { SSL_SESSION_free(session) } }

    package var count: Int { sessions.count }

    /// Takes over the reference.
    func add(_ session: OpaquePointer) {
        if sessions.count == Self.limit { SSL_SESSION_free(sessions.removeFirst()) }
        sessions.append(session)
    }

    /// The newest that still holds, which goes over to the caller.
    func take() -> OpaquePointer? {
        while let session = sessions.popLast() {
            if SSL_SESSION_is_resumable(session) == 1 { return session }
            SSL_SESSION_free(session)
        }
        return nil
    }
}
