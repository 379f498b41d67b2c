// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import Linux
internal import MenshenCore
internal import Systemd

/// Requests as the journal tells of them: this machine's, or other hosts' files. Belongs to one thread.
package final class JournalLog {
    /// Microseconds after which a look at the journal is taken, even if nothing was heard of it.
    private static let pause: UInt64 = 1_000_000

    private let reader: JournalReader
    private let query: LogQuery
    /// An end may be told where the beginning was told already.
    private var seen: Set<RequestID> = []
    private var newest: String?
    private var isFollowing = false

    /// `directory`: with journal files; nil: this machine's journal.
    package init(directory: String?, _ query: LogQuery) throws(SystemError) {
        reader = try JournalReader(directory.map(JournalReader.Source.directory) ?? .system)
        self.query = query
        try reader.match("SYSLOG_IDENTIFIER", "menshen")
    }

    /// There is no journal that this user may read.
    package var isEmpty: Bool { reader.isEmpty }

    /// Those that were told last, in the order in which they began.
    package func requests() throws(SystemError) -> [RequestRecord] {
        var found: [RequestRecord] = []
        try reader.seekEnd()
        while found.count < query.limit, let fields = try reader.previous() {
            if newest == nil { newest = reader.cursor }
            // No request is told of before it begins.
            if let after = query.after, let written = reader.written, Int64(written) < after.microseconds { break }
            if let record = wanted(fields) { found.append(record) }
        }
        return found.sorted { $0.id.rawValue < $1.id.rawValue }
    }

    /// The next request that ends; waits for it. After `requests`.
    package func next() throws(SystemError) -> RequestRecord {
        if !isFollowing { try reader.seek(after: newest) }
        isFollowing = true
        while true {
            guard let fields = try reader.next() else {
                reader.wait(microseconds: Self.pause)
                continue
            }
            if let record = wanted(fields), record.answered.endState != "open" { return record }
        }
    }

    /// nil: it is not about a request, or not one of those that are asked for.
    private func wanted(_ fields: JournalReader.Fields) -> RequestRecord? {
        guard let entry = JournalRecord(fields) else { return nil }
        let record = RequestRecord(entry.row)
        let isKnown = isFollowing ? false : !seen.insert(entry.id).inserted
        return !isKnown && query.matches(record) ? record : nil
    }
}
