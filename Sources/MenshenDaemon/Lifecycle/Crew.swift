// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import MenshenStore
internal import Reactor
internal import Synchronization

/// The workers as the supervisor sees them: their threads, and what they were asked and have not answered yet.
struct Crew {
    private let contexts: [WorkerContext]
    private var threads: [NamedThread] = []
    private var running = 0
    private var awaitedPongs = 0
    private var awaitedInstalls = 0
    private var export = MetricsExport()

    init(_ contexts: [WorkerContext]) { self.contexts = contexts }

    mutating func start(_ snapshot: Snapshot, _ sockets: [ListeningSocket]) throws {
        for context in contexts {
            let first = FirstSnapshot(snapshot)
            threads.append(
                try NamedThread(contexts.count == 1 ? "reactor" : "reactor-\(context.index)") {
                    do {
                        try Worker(context, first.take()).run(sockets)
                        context.control.post(.ended(worker: context.index, failure: nil))
                    } catch {
                        context.control.post(.ended(worker: context.index, failure: "\(error)"))
                    }
                })
            running += 1
        }
    }

    func join() { for thread in threads { thread.join() } }

    /// Returns true when it was the last one.
    mutating func ended() -> Bool {
        running -= 1
        return running == 0
    }

    // MARK: Asking all of them

    /// Those who judge by tokens that were given out.
    var access: AccessStore? { contexts.first?.access }

    var telemetry: Telemetry? { contexts.first?.telemetry }

    /// Has the tokens read that could not be read so far.
    func lookForTokens() {
        guard let access, access.tokens.fault != nil else { return }
        let contexts = contexts
        access.lookAgain {
            for context in contexts { context.mailbox.post(.tokens(cut: [], RequestID(rawValue: 0), for: nil)) }
        }
    }

    /// Into the file that the configuration names, if it does.
    mutating func writeMetrics(_ snapshot: Snapshot, now: UInt64) {
        if let context = contexts.first { export.write(snapshot, context, now: now) }
    }

    func drain(deadline: UInt64) {
        for context in contexts { context.mailbox.post(.drain(deadline: deadline)) }
    }

    mutating func install(_ snapshot: Snapshot) {
        awaitedInstalls += contexts.count
        contexts.first?.pots.prepare(snapshot)
        for context in contexts { context.mailbox.post(.install(snapshot)) }
    }

    var isInstalling: Bool { awaitedInstalls > 0 }

    /// One goes by the new configuration now. Returns true when every one does.
    mutating func installed() -> Bool {
        awaitedInstalls -= 1
        return awaitedInstalls <= 0
    }

    /// Not again before all have answered.
    mutating func ping() {
        guard awaitedPongs <= 0 else { return }
        awaitedPongs = contexts.count
        for context in contexts { context.mailbox.post(.ping) }
    }

    /// Returns true when every one has answered.
    mutating func answered() -> Bool {
        awaitedPongs -= 1
        return awaitedPongs == 0
    }
}

/// Hands a worker its first configuration. The thread's closure lives as long as the thread and must not hold one.
private final class FirstSnapshot: Sendable {
    private let held: Mutex<Snapshot?>

    init(_ snapshot: Snapshot) { held = Mutex(snapshot) }

    func take() -> Snapshot {
        let taken = held.withLock { $0.take() }
        guard let taken else { preconditionFailure("a worker starts once") }
        return taken
    }
}
