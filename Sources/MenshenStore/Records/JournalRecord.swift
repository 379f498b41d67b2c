// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import Systemd

/// What an entry that was the only record of something tells the database once that works again. `RequestJournal` writes
/// the fields that every request's entry has; those that only a whole row needs are written and read here.
enum JournalRecord {
    case begun(AuditIntent)
    case ended(AuditSettlement)
    case summary(RefusalThrottle.Summary)

    /// Mark the entries that are the only record, and say which database lacks it.
    static let deviceField = "MENSHEN_AUDIT_DEVICE"
    static let device = "journal"
    static let databaseField = "MENSHEN_DATABASE"

    private static let counts: [(field: String, path: any WritableKeyPath<Usage, Int64?> & Sendable)] = [
        ("MENSHEN_TOKENS_IN", \.inputTotal), ("MENSHEN_INPUT_UNCACHED", \.inputUncached),
        ("MENSHEN_CACHE_READ", \.cacheRead), ("MENSHEN_CACHE_WRITE_5M", \.cacheWrite5m),
        ("MENSHEN_CACHE_WRITE_1H", \.cacheWrite1h), ("MENSHEN_TOKENS_OUT", \.outputTotal),
        ("MENSHEN_REASONING", \.reasoning), ("MENSHEN_AUDIO_IN", \.audioIn), ("MENSHEN_AUDIO_OUT", \.audioOut),
        ("MENSHEN_IMAGE_IN", \.imageIn), ("MENSHEN_IMAGE_OUT", \.imageOut),
    ]

    var id: RequestID {
        switch self {
        case .begun(let intent): intent.id
        case .ended(let end): end.intent.id
        case .summary(let summary): summary.first
        }
    }

    // MARK: Writing

    static func complete(_ entry: inout JournalEntry, isStream: Bool?) {
        entry.append("MENSHEN_STREAM", ifKnown: isStream.map { $0 ? "1" : "0" })
    }

    /// Everything that the row of a request's end has, but for bodies. The two counts that each entry has are there already.
    static func complete(_ entry: inout JournalEntry, _ end: AuditSettlement) {
        complete(&entry, isStream: end.isStream ?? end.intent.isStream)
        for index in end.attempts.indices { entry.append("MENSHEN_ATTEMPT", text(end.attempts[index], index + 1)) }
        entry.append("MENSHEN_MESSAGES_IN", ifKnown: end.messagesIn.map { String($0) })
        entry.append("MENSHEN_MESSAGES_OUT", ifKnown: end.messagesOut.map { String($0) })
        entry.append("MENSHEN_CACHE_SOURCE", ifKnown: end.cache?.source?.description)
        entry.append("MENSHEN_SAVED_IN", ifKnown: end.cache?.saved?.inputTotal.map { String($0) })
        entry.append("MENSHEN_SAVED_OUT", ifKnown: end.cache?.saved?.outputTotal.map { String($0) })
        guard let answer = end.answer else { return }
        entry.append("MENSHEN_ANSWER_MODEL", ifKnown: answer.model)
        entry.append("MENSHEN_SERVICE_TIER", ifKnown: answer.serviceTier)
        entry.append("MENSHEN_END_USER", ifKnown: answer.endUser)
        guard let usage = answer.usage else { return }
        for (field, path) in counts where path != \.inputTotal && path != \.outputTotal {
            entry.append(field, ifKnown: usage[keyPath: path].map { String($0) })
        }
        entry.append("MENSHEN_SECONDS", ifKnown: usage.seconds.map { String($0) })
        for extra in usage.other { entry.append("MENSHEN_USAGE_OTHER", "\(extra.count) \(extra.name)") }
        entry.append("MENSHEN_USAGE_RAW", String(decoding: usage.raw, as: UTF8.self))
    }

    /// Numbered, because the journal keeps neither the order of a field's values nor two that are the same. Between tabs,
    /// because names may have blanks.
    private static func text(_ attempt: AttemptRecord, _ number: Int) -> String {
        [
            String(number), attempt.reason, attempt.status.map(String.init) ?? "", String(attempt.startedMicroseconds),
            String(attempt.endedMicroseconds), attempt.key.map(String.init) ?? "", attempt.provider,
            attempt.model ?? "",
        ].joined(separator: "\t")
    }

    // MARK: Reading

    /// nil: it names no request, or was not written by `RequestJournal`.
    init?(_ fields: JournalReader.Fields) {
        func text(_ name: String) -> String? { fields[name]?.first }
        func number(_ name: String) -> Int64? { text(name).flatMap { Int64($0) } }
        guard let id = text("MENSHEN_REQUEST_ID").flatMap({ RequestID($0) }), id.rawValue > 0,
            let state = text("MENSHEN_END_STATE")
        else { return nil }
        if text("MENSHEN_PROBLEM") == "refusals_summarised" {
            guard let count = number("MENSHEN_COUNT"), count > 0, let span = number("MENSHEN_TOTAL_US"),
                span >= 0, span < 1 << 40
            else { return nil }
            self = .summary(
                RefusalThrottle.Summary(
                    first: id, last: RequestID(microseconds: id.microseconds + span), count: count))
            return
        }
        let caller = CallerRecord(
            uid: number("MENSHEN_CALLER_UID").flatMap { UInt32(exactly: $0) },
            pid: number("MENSHEN_CALLER_PID").flatMap { Int32(exactly: $0) }, executable: text("MENSHEN_CALLER_EXE"),
            unit: text("MENSHEN_CALLER_UNIT"), address: text("MENSHEN_PEER") ?? "")
        let intent = AuditIntent(
            id: id, caller: caller, tokenName: text("MENSHEN_TOKEN_NAME"), method: text("MENSHEN_METHOD") ?? "",
            path: text("MENSHEN_PATH") ?? "",
            dialect: text("MENSHEN_DIALECT").flatMap(Dialect.init(rawValue:)) ?? .openai,
            operation: text("MENSHEN_OPERATION").flatMap(Operation.init(rawValue:)) ?? .other,
            provider: text("MENSHEN_PROVIDER"), model: text("MENSHEN_MODEL"),
            isStream: text("MENSHEN_STREAM").map { $0 == "1" })
        guard state != "open" else {
            self = .begun(intent)
            return
        }
        guard let endState = EndState(rawValue: state) else { return nil }
        var end = AuditSettlement(
            intent: intent, endState: endState, totalMicroseconds: number("MENSHEN_TOTAL_US") ?? 0,
            bytesIn: number("MENSHEN_BYTES_IN") ?? 0, bytesOut: number("MENSHEN_BYTES_OUT") ?? 0)
        end.provider = intent.provider
        end.status = number("MENSHEN_STATUS").map { Int($0) }
        end.problem = text("MENSHEN_PROBLEM")
        end.attempts = Self.attempts(fields["MENSHEN_ATTEMPT"] ?? [])
        end.firstByteMicroseconds = number("MENSHEN_TTFB_US")
        end.messagesIn = number("MENSHEN_MESSAGES_IN")
        end.messagesOut = number("MENSHEN_MESSAGES_OUT")
        end.usageState = text("MENSHEN_USAGE_STATE").flatMap(UsageState.init(rawValue:)) ?? .unknown
        end.answer = Self.answer(fields)
        if let outcome = text("MENSHEN_CACHE").flatMap(CacheRecord.Outcome.init(rawValue:)) {
            var saved = Usage()
            saved.inputTotal = number("MENSHEN_SAVED_IN")
            saved.outputTotal = number("MENSHEN_SAVED_OUT")
            end.cache = CacheRecord(
                outcome, source: text("MENSHEN_CACHE_SOURCE").flatMap { RequestID($0) },
                saved: saved.isCounted ? saved : nil)
        }
        self = .ended(end)
    }

    private static func answer(_ fields: JournalReader.Fields) -> AnswerRecord? {
        func text(_ name: String) -> String? { fields[name]?.first }
        var usage: Usage?
        if let raw = text("MENSHEN_USAGE_RAW") {
            var counted = Usage()
            counted.raw = Array(raw.utf8)
            for (field, path) in counts { counted[keyPath: path] = text(field).flatMap { Int64($0) } }
            counted.seconds = text("MENSHEN_SECONDS").flatMap { Double($0) }
            for value in (fields["MENSHEN_USAGE_OTHER"] ?? []).sorted() {
                let parts = value.split(separator: " ", maxSplits: 1)
                if parts.count == 2, let count = Int64(parts[0]) {
                    counted.other.append(Usage.Extra(name: String(parts[1]), count: count))
                }
            }
            usage = counted
        }
        let answer = AnswerRecord(
            usage: usage, model: text("MENSHEN_ANSWER_MODEL"), finishReason: text("MENSHEN_FINISH_REASON"),
            serviceTier: text("MENSHEN_SERVICE_TIER"), endUser: text("MENSHEN_END_USER"), masking: [])
        let isKnown = usage != nil || answer.model != nil || answer.finishReason != nil || answer.serviceTier != nil
        return isKnown || answer.endUser != nil ? answer : nil
    }

    private static func attempts(_ values: [String]) -> [AttemptRecord] {
        let found = values.compactMap { value -> (number: Int, attempt: AttemptRecord)? in
            let parts = value.split(separator: "\t", maxSplits: 7, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 8, let number = Int(parts[0]), let start = Int64(parts[3]), let end = Int64(parts[4])
            else { return nil }
            let attempt = AttemptRecord(
                provider: parts[6], key: Int(parts[5]), model: parts[7].isEmpty ? nil : parts[7],
                status: Int(parts[2]), reason: parts[1], startedMicroseconds: start, endedMicroseconds: end)
            return (number, attempt)
        }
        return found.sorted { $0.number < $1.number }.map(\.attempt)
    }
}
