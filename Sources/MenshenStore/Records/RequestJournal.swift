// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
internal import MenshenCore
internal import Systemd

/// Writes request entries to the journal: limited per second in ordinary times, all of them, and marked, when the
/// journal is the only device left. Belongs to the store's thread.
struct RequestJournal {
    private static let second: UInt64 = 1_000_000
    private let socket: JournalSocket?
    private let perSecond: Int
    /// Entries that are the only record say which database lacks them.
    private let database: String
    private var endsAt: UInt64 = 0
    private var attempted = 0
    /// Not journalled and not yet told.
    private var withheld: Int64 = 0
    /// Nobody took the last notice; the next one waits for the next request.
    private var isSilent = false
    private(set) var notJournalled: Int64 = 0
    /// Entries that journald's full queue has refused; they are sent again, in their order. Under the limit per second a few
    /// seconds' worth: a journald that reads nothing for longer is counted as one that is not there.
    private var waiting: [JournalEntry] = []
    private static let maxWaiting = 4096
    /// How soon room is looked for again. journald empties its queue in far less.
    private static let retry: UInt64 = 5_000
    private var retryAt: UInt64 = 0
    /// Milliseconds that this batch may still wait for room in a full queue; see `beginBatch`.
    private var patience = 0
    /// Entries that journald took as the only record; see `JournalTakeover`.
    private(set) var takenAlone = 0
    /// journald took an entry of this process.
    private(set) var isHeard = false

    init(_ socket: JournalSocket?, perSecond: Int, database: String) {
        self.socket = socket
        self.perSecond = perSecond
        self.database = database
    }

    var exists: Bool { socket != nil }
    var keeping: JournalKeeping { socket.map { JournalKeeping.look(socket: $0.path) } ?? .absent }

    /// One entry for a request that is in the database. What the limit or the journal refuses is counted.
    mutating func note(_ end: AuditSettlement, now: UInt64) {
        guard let socket else { return }
        if now >= endsAt {
            tellWithheld()
            endsAt = now + Self.second
            attempted = 0
        }
        attempted += 1
        if attempted <= perSecond, take(entry(end), socket, now) { return }
        withheld += 1
        notJournalled += 1
        isSilent = false
    }

    /// All that a bill is made of. It names its database: one user may have several.
    private func entry(_ end: AuditSettlement) -> JournalEntry {
        var entry = JournalFields.entry(end, isAlone: false, behind: Self.head(end))
        entry.append(JournalRecord.databaseField, database)
        return entry
    }

    /// Whether journald has the entry, or will have it as soon as its queue has room.
    private mutating func take(_ entry: JournalEntry, _ socket: JournalSocket, _ now: UInt64) -> Bool {
        sendWaiting(now)
        if waiting.isEmpty {
            switch socket.offer(entry) {
            case .taken:
                isHeard = true
                return true
            case .absent: return false
            case .full: retryAt = now + Self.retry
            }
        }
        guard waiting.count < Self.maxWaiting else { return false }
        waiting.append(entry)
        return true
    }

    private mutating func sendWaiting(_ now: UInt64) {
        guard let socket, !waiting.isEmpty, now >= retryAt else { return }
        var sent = 0
        sending: for entry in waiting {
            switch socket.offer(entry) {
            case .taken: sent += 1
            case .full: break sending
            case .absent:
                // It has gone meanwhile: what it did not take is missing there.
                withheld += Int64(waiting.count - sent)
                notJournalled += Int64(waiting.count - sent)
                isSilent = false
                waiting.removeAll()
                return
            }
        }
        if sent > 0 { isHeard = true }
        waiting.removeFirst(sent)
        retryAt = now == .max ? 0 : now + Self.retry
    }

    /// At the end: a journald that reads has emptied its queue by then.
    private mutating func sendAllWaiting() {
        for _ in 0..<200 where !waiting.isEmpty {
            sendWaiting(.max)
            if !waiting.isEmpty { usleep(1000) }
        }
    }

    /// While the journal is the only device, entries of one batch may wait together this long (0.2 s) for journald to
    /// make room: its queue holds a few hundred datagrams.
    mutating func beginBatch() { patience = 200 }

    /// One entry as the only record of a request's beginning. False if the journal did not take it.
    mutating func record(_ intent: AuditIntent) -> Bool {
        let route = Self.words(intent.provider, intent.model)
        var entry = JournalFields.entry(
            intent, behind: Self.head(.requestBegun, message: "\(intent.method) \(intent.path) open\(route)"))
        entry.append("MENSHEN_END_STATE", "open")
        return recordAlone(&entry)
    }

    /// One entry as the only record of a request's end.
    mutating func record(_ end: AuditSettlement) -> Bool {
        var entry = JournalRecord.entry(end, behind: Self.head(end))
        return recordAlone(&entry)
    }

    mutating func record(_ summary: RefusalThrottle.Summary) -> Bool {
        var entry = Self.head(
            .refusalsSummarised, message: "\(summary.count) more requests without authentication were refused")
        entry.append("MENSHEN_REQUEST_ID", summary.first.description)
        entry.append("MENSHEN_END_STATE", EndState.refused.rawValue)
        entry.append("MENSHEN_PROBLEM", "refusals_summarised")
        entry.append("MENSHEN_COUNT", String(summary.count))
        entry.append("MENSHEN_TOTAL_US", String(summary.last.microseconds - summary.first.microseconds))
        return recordAlone(&entry)
    }

    private mutating func recordAlone(_ entry: inout JournalEntry) -> Bool {
        entry.append(JournalRecord.deviceField, JournalRecord.device)
        entry.append(JournalRecord.databaseField, database)
        guard sendPatiently(entry) else { return false }
        takenAlone += 1
        isHeard = true
        return true
    }

    /// Tells how many requests of the last second are missing here, if that second is over (or `now` is nil).
    mutating func finish(now: UInt64?) {
        if let now {
            sendWaiting(now)
            if now < endsAt { return }
        } else {
            sendAllWaiting()
        }
        tellWithheld()
    }

    /// When there is something to tell; nil if nothing.
    var deadline: UInt64? {
        let notice = withheld == 0 || isSilent ? nil : endsAt
        return waiting.isEmpty ? notice : min(retryAt, notice ?? .max)
    }

    private mutating func sendPatiently(_ entry: JournalEntry) -> Bool {
        guard let socket else { return false }
        while true {
            switch socket.offer(entry) {
            case .taken: return true
            case .absent: return false
            case .full:
                if patience == 0 { return false }
                patience -= 1
                usleep(1000)
            }
        }
    }

    private mutating func tellWithheld() {
        guard withheld > 0, let socket else { return }
        let noun = withheld == 1 ? "request" : "requests"
        let verb = withheld == 1 ? "It is" : "They are"
        var entry = Self.head(
            .notJournalled, message: "\(withheld) \(noun) not journalled. \(verb) in the database.")
        entry.append("MENSHEN_COUNT", String(withheld))
        if socket.send(entry) { withheld = 0 } else { isSilent = true }
    }

    private static func head(_ kind: EventKind, priority: Int? = nil, message: String) -> JournalEntry {
        var entry = JournalEntry()
        entry.append("MESSAGE", message)
        entry.append("MESSAGE_ID", kind.messageID)
        entry.append("PRIORITY", String(priority ?? kind.priority))
        entry.append("SYSLOG_IDENTIFIER", "menshen")
        return entry
    }

    private static func words(_ words: String?...) -> String { words.compactMap { $0 }.map { " \($0)" }.joined() }

    private static func head(_ end: AuditSettlement) -> JournalEntry {
        let intent = end.intent
        let result = words(
            end.status.map(String.init), end.endState.rawValue, end.answeringProvider, end.model ?? intent.model)
        var entry = head(
            end.endState == .refused ? .requestRefused : .request, priority: priority(end.endState),
            message: "\(intent.method) \(intent.path)\(result) \(end.totalMicroseconds / 1000) ms")
        // In numbers, for programs that don't read ids.
        entry.append("MENSHEN_BEGAN_US", String(intent.id.microseconds))
        return entry
    }

    private static func priority(_ state: EndState) -> Int {
        switch state {
        case .complete, .clientGone: 6
        case .refused: 5
        case .upstreamError, .truncated, .streamError, .timeout, .aborted, .lost: 4
        }
    }
}
