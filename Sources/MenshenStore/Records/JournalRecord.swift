// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import Systemd

/// What an entry that was the only record of something tells the database once that works again: values for the columns of the
/// lists, in their order.
struct JournalRecord {
    enum Content {
        case beginning([ColumnValue])
        case end([ColumnValue], attempts: [(number: Int, values: [ColumnValue])])
        case summary(RefusalThrottle.Summary)
    }

    let id: RequestID
    let content: Content

    /// Marks the entries that are the only record.
    static let deviceField = "MENSHEN_AUDIT_DEVICE"
    static let device = "journal"
    /// Whose records these are, or which database lacks this one.
    static let databaseField = "MENSHEN_DATABASE"

    private static let attemptField = "MENSHEN_ATTEMPT"
    private static let columns = RecordColumns.columns.filter { $0.kind != .summary }
    private static let attemptColumns = AttemptColumns.columns

    // MARK: Writing

    /// Everything that the row of a request's end has, but for bodies.
    static func entry(_ end: AuditSettlement, behind head: consuming JournalEntry) -> JournalEntry {
        var entry = JournalFields.entry(end, isAlone: true, behind: head)
        for index in end.attempts.indices { entry.append(attemptField, text(end.attempts[index], index + 1)) }
        return entry
    }

    /// Numbered, because the journal keeps neither the order of a field's values nor two that are the same. Between tabs,
    /// because names may have blanks.
    private static func text(_ attempt: AttemptRecord, _ number: Int) -> String {
        var tabbed = TabbedText(text: String(number))
        AttemptColumns.visitEnd(&tabbed, attempt)
        return tabbed.text
    }

    // MARK: Reading

    /// nil: it names no request, or was not written by `RequestJournal`.
    init?(_ written: JournalReader.Fields) {
        let fields = Self.renewed(written)
        func text(_ name: String) -> String? { fields[name]?.first }
        guard let id = text("MENSHEN_REQUEST_ID").flatMap({ RequestID($0) }), id.rawValue > 0,
            let state = text("MENSHEN_END_STATE")
        else { return nil }
        self.id = id
        if text("MENSHEN_PROBLEM") == "refusals_summarised" {
            guard let count = text("MENSHEN_COUNT").flatMap({ Int64($0) }), count > 0,
                let span = text("MENSHEN_TOTAL_US").flatMap({ Int64($0) }), span >= 0, span < 1 << 40
            else { return nil }
            let last = RequestID(microseconds: id.microseconds + span)
            content = .summary(RefusalThrottle.Summary(first: id, last: last, count: count))
        } else if state == "open" {
            guard let values = Self.values(fields, Self.columns.filter(\.isKnownAtBeginning)) else { return nil }
            content = .beginning(values)
        } else if EndState(rawValue: state) != nil, let values = Self.values(fields, Self.columns) {
            content = .end(values, attempts: Self.attempts(fields[Self.attemptField] ?? []))
        } else {
            return nil
        }
    }

    /// What an older menshen has written under other names: cache writes by two lifetimes, or among the counts of one provider.
    private static func renewed(_ fields: JournalReader.Fields) -> JournalReader.Fields {
        func count(_ name: String) -> Int64? { fields[name]?.first.flatMap { Int64($0) } }
        let (short, long) = (count("MENSHEN_CACHE_WRITE_5M"), count("MENSHEN_CACHE_WRITE_1H"))
        let suffix = " cache_write_tokens"
        let others = fields["MENSHEN_USAGE_OTHER"] ?? []
        let untimed = others.first { $0.hasSuffix(suffix) }
        guard short != nil || long != nil || untimed != nil else { return fields }
        var usage = Usage()
        usage.other = []
        for (seconds, tokens) in [(CacheWrite.fiveMinutes, short ?? 0), (CacheWrite.hour, long ?? 0)] where tokens > 0 {
            usage.lifetimes.append(CacheWrite(seconds: seconds, tokens: tokens))
        }
        usage.cacheWrite = untimed.flatMap { Int64($0.dropLast(suffix.count)) } ?? (short ?? 0) &+ (long ?? 0)
        var fields = fields
        fields["MENSHEN_CACHE_WRITE"] = usage.cacheWrite.map { [String($0)] }
        fields["MENSHEN_CACHE_WRITE_TTL"] = usage.cacheWriteTTL.map { [String($0)] }
        fields["MENSHEN_USAGE_OTHER"] =
            others.filter { !$0.hasSuffix(suffix) } + usage.named.map { "\($0.count) \($0.name)" }
        return fields
    }

    private static func values(_ fields: JournalReader.Fields, _ columns: [ColumnInfo]) -> [ColumnValue]? {
        whole(columns, columns.map { column in column.fieldName.flatMap { fields[$0] } ?? [] })
    }

    /// The row that it tells of, but for what no entry has.
    var row: RecordRow {
        var columns = Self.columns
        let values: [ColumnValue]
        switch content {
        case .beginning(let known):
            columns.removeAll { !$0.isKnownAtBeginning }
            values = known + [.text("open")]
        case .end(let all, _): values = all
        case .summary(let summary):
            return RecordRow([
                "id": .integer(id.rawValue), "end_state": .text(EndState.refused.rawValue),
                "problem": .text("refusals_summarised"), "count": .integer(summary.count),
                "total_us": .integer(summary.last.microseconds - summary.first.microseconds),
            ])
        }
        let names = columns.map(\.name) + ["end_state"]
        return RecordRow(Dictionary(zip(names, values)) { first, _ in first })
    }

    private static func attempts(_ texts: [String]) -> [(number: Int, values: [ColumnValue])] {
        texts.compactMap { text in
            var parts = text.split(
                separator: "\t", maxSplits: attemptColumns.count, omittingEmptySubsequences: false
            ).map { $0.isEmpty ? [] : [String($0)] }
            guard let number = parts.removeFirst().first.flatMap({ Int($0) }) else { return nil }
            // An older menshen has not written the last ones yet.
            parts += Array(repeating: [], count: attemptColumns.count - parts.count)
            return whole(attemptColumns, parts).map { (number, $0) }
        }
    }

    /// nil if one is missing that no row is without.
    private static func whole(_ columns: [ColumnInfo], _ texts: [[String]]) -> [ColumnValue]? {
        let values = zip(columns, texts).map { $0.value($1) }
        return zip(columns, values).contains { $0.column.isRequired && $1 == .none } ? nil : values
    }
}

/// An attempt's values between tabs, behind its number.
private struct TabbedText: ColumnVisitor {
    typealias Failure = Never

    var text: String

    mutating func integer(_: Column, _ value: @autoclosure () -> Int64?) { add(value().map { String($0) }) }
    mutating func real(_: Column, _ value: @autoclosure () -> Double?) { add(value().map { String($0) }) }
    mutating func text(_: Column, _ value: @autoclosure () -> String?) { add(value()) }
    mutating func request(_: Column, _ value: @autoclosure () -> RequestID?) { add(value()?.description) }
    mutating func counts(_: Column, _ value: @autoclosure () -> [Usage.Extra]?) { add(Usage.Extra.json(value() ?? [])) }
    mutating func summary(_: Column) {}

    private mutating func add(_ value: String?) { text += "\t" + (value ?? "") }
}
