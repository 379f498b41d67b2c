// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenDaemon
internal import Synchronization

/// Where looks come from: one connection to the running menshen. It starts none, as a connection to the socket of one that
/// sleeps would. Blocking; belongs to one thread.
struct TopSource {
    enum Answer: Sendable {
        case page([UInt8])
        /// Nobody answers; a sentence that says why, and what to do.
        case away(String)
    }

    private let place: DaemonPlace
    /// Seconds.
    private let patience: Int
    private var connection: AdminConnection?

    init(_ place: DaemonPlace, patience: Int = AdminClient.patience) {
        (self.place, self.patience) = (place, patience)
    }

    mutating func look() -> Answer {
        // It may have been closed because nobody asked for long: then the next one tells.
        if let connection, connection.isOpen, let page = try? connection.ask(AdminClient.live) { return .page(page) }
        connection = nil
        if place.isAsleep {
            return .away("menshen sleeps; the next request starts it, and so does 'menshen status'. This does not.")
        }
        do {
            let connection = try AdminConnection(socket: place.socket, patience: patience)
            let page = try connection.ask(AdminClient.live)
            self.connection = connection
            return .page(page)
        } catch let refusal as AdminClient.Refusal {
            return .away("menshen at \(place.socket) refuses: \(refusal.message)")
        } catch let error as SystemError where error.isNobodyThere {
            return .away("nobody listens on \(place.socket); 'menshen status' says how to start it.")
        } catch {
            return .away("\(error)")
        }
    }
}

/// Looks again and again on a thread of its own, so that keys are heard while menshen does not answer.
final class TopWatch: Sendable {
    /// Signalled when there is another look.
    let wake: Wake
    private let latest = Mutex<TopSource.Answer?>(nil)

    /// `pause`: microseconds between looks. The thread goes on as long as the process.
    init(_ place: DaemonPlace, pause: UInt64) throws {
        wake = try Wake()
        _ = try NamedThread("looks") { [self] in
            var source = TopSource(place)
            let signal = ThreadSignal()
            while true {
                let answer = source.look()
                latest.withLock { $0 = answer }
                wake.signal()
                signal.wait(pause)
            }
        }
    }

    /// The last look; nil if it was taken already.
    func take() -> TopSource.Answer? {
        latest.withLock { answer in
            defer { answer = nil }
            return answer
        }
    }
}
