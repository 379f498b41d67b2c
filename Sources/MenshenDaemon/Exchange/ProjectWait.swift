// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// A request whose caller's project policy wants to know, while a thread that nobody waits for looks for it. Nothing of the
/// body is read meanwhile. A directory that hangs costs its own callers the patience, and policy then decides without: it
/// refuses whom only that rule could be for.
struct ProjectWait {
    /// Between two looks, and until it is given up. Microseconds.
    private static let pause: UInt64 = 2000
    private static let patience: UInt64 = 1_000_000

    private let hasBody: Bool
    private let end: UInt64

    private static func isDue(_ exchange: Exchange) -> Bool {
        exchange.runtime.snapshot.policy.readsProjects && exchange.resolved?.page == nil
            && exchange.connection.caller.project?.standing == .awaited
    }

    /// Whether the request waits. It is begun a second time when it has.
    static func begins(_ exchange: Exchange, hasBody: Bool) -> Bool {
        if case .awaitingProject = exchange.phase {
            exchange.enter(.reading)
            return false
        }
        guard isDue(exchange) else { return false }
        let now = exchange.worker.now
        exchange.connection.pauseReading()
        exchange.enter(.awaitingProject(ProjectWait(hasBody: hasBody, end: now + patience)), until: now + pause)
        return true
    }

    func look(_ exchange: Exchange) {
        let now = exchange.worker.now
        if now < end, Self.isDue(exchange) {
            return exchange.enter(.awaitingProject(self), until: now + Self.pause)
        }
        exchange.begin(hasBody: hasBody)
        exchange.connection.resumeReading()
    }
}
