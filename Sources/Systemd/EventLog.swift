// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
internal import Linux

/// One line about menshen's own life. Never holds a value of a header, a body or a key.
package struct LogEvent: Sendable {
    /// syslog's scale: 3 error, 4 warning, 5 notice, 6 information, 7 debug.
    package var priority: Int
    /// 32 lower-case hexadecimal digits, constant per kind of event; the journal's catalogue explains it.
    package var messageID: String?
    package var message: String
    /// For the journal alone. Names must be valid journal keys; others are left out.
    package var fields: [(String, String)]

    package init(priority: Int, messageID: String? = nil, message: String, fields: [(String, String)] = []) {
        self.priority = priority
        self.messageID = messageID
        self.message = message
        self.fields = fields
    }
}

/// Where lifecycle lines go: natively to the journal if stderr is connected to it, otherwise to stderr as text: the message
/// alone, with `<N>` in front only where the journal reads it. Any thread may write.
package final class EventLog: Sendable {
    /// stderr leads to the journal, which reads `<N>` as a line's priority.
    private let isPrefixed: Bool
    private let journal: JournalSocket?
    private let descriptor: Int32
    private let threshold: Int
    /// Debug lines are written.
    package var isVerbose: Bool { threshold >= 7 }
    private let identifier: String

    /// `journalStream` is `$JOURNAL_STREAM`, the device and inode that the journal's stderr had at start;
    /// `descriptor` is not closed. Debug lines are dropped unless `isVerbose`.
    package init(
        journalStream: String?, descriptor: Int32 = 2, isVerbose: Bool, identifier: String = "menshen",
        journalPath: String = JournalSocket.standardPath
    ) {
        isPrefixed = journalStream != nil && journalStream == Self.stream(of: descriptor)
        journal = isPrefixed ? try? JournalSocket(path: journalPath) : nil
        self.descriptor = descriptor
        threshold = isVerbose ? 7 : 6
        self.identifier = identifier
    }

    package func write(_ event: LogEvent) {
        guard event.priority <= threshold else { return }
        if let journal, journal.send(Self.entry(event, identifier: identifier)) { return }
        let line = (isPrefixed ? "<\(event.priority)>" : "") + Self.escaped(event.message) + "\n"
        // One write per line, so that lines of several threads never mix. A full pipe or a closed stderr loses the
        // line: there is nobody left to tell.
        let bytes = Array(line.utf8)
        _ = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    }

    package static func entry(_ event: LogEvent, identifier: String) -> JournalEntry {
        var entry = JournalEntry()
        entry.append("MESSAGE", event.message)
        entry.append("PRIORITY", String(event.priority))
        entry.append("SYSLOG_IDENTIFIER", identifier)
        entry.append("MESSAGE_ID", ifKnown: event.messageID)
        for (name, value) in event.fields { entry.append(name, value) }
        return entry
    }

    /// "dev:inode" of an open file, as systemd writes `$JOURNAL_STREAM`.
    package static func stream(of descriptor: Int32) -> String? {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        return "\(status.st_dev):\(status.st_ino)"
    }

    /// Line breaks and other control characters are escaped, so that no value can forge a line or reach the terminal.
    private static func escaped(_ text: String) -> String {
        var result = ""
        result.reserveCapacity(text.utf8.count)
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.properties.generalCategory == .control:
                result += "\\u{\(String(scalar.value, radix: 16))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
