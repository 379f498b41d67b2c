// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
package import MenshenCore
internal import Synchronization
package import Systemd

/// Where everything goes that menshen logs about its own life. Any thread.
package final class Events: Sendable {
    /// Of events that a stranger can cause at will, so many are logged in a minute; the rest is counted.
    private static let perMinute = 10

    private struct Window {
        var start: UInt64 = 0
        var seen = 0
    }

    private let log: EventLog
    private let windows = Mutex<[EventKind: Window]>([:])

    package init(_ log: EventLog) { self.log = log }

    /// A line for a person at the terminal; nothing happens in it.
    package func say(_ text: String) { log.write(LogEvent(priority: 6, message: text)) }

    /// `text` is only made where somebody asked for debug lines.
    package func debug(_ text: @autoclosure () -> String) {
        if log.isVerbose { log.write(LogEvent(priority: 7, message: text())) }
    }

    package func remark(_ text: String) { log.write(LogEvent(priority: 4, message: text)) }

    package func diagnostic(_ diagnostic: Diagnostic) {
        let line = diagnostic.description.split(separator: "\n").map { $0.drop { $0 == " " } }.joined(separator: "; ")
        log.write(LogEvent(priority: diagnostic.severity == .error ? 3 : 4, message: line))
    }

    package func tell(_ event: Event) {
        if event.isLimited, !isAllowed(event.kind) { return }
        log.write(LogEvent(event))
    }

    private func isAllowed(_ kind: EventKind) -> Bool {
        let now = Clock.monotonic()
        return windows.withLock { windows in
            var window = windows[kind] ?? Window()
            if now - window.start > 60_000_000 { window = Window(start: now) }
            window.seen += 1
            windows[kind] = window
            return window.seen <= Self.perMinute
        }
    }
}

extension LogEvent {
    fileprivate init(_ event: Event) {
        self.init(
            priority: event.kind.priority, messageID: event.kind.messageID, message: event.message,
            fields: event.fields)
    }
}

extension EventLog {
    /// Of a command's own: to the journal and nowhere else; without one it is lost.
    static func tell(_ event: Event, journal: String) {
        guard let socket = try? JournalSocket(path: journal) else { return }
        _ = socket.send(entry(LogEvent(event), identifier: "menshen"))
    }
}
