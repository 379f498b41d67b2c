// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import Systemd

/// Writes a row's values as fields of a journal entry.
struct JournalFields: ColumnVisitor {
    typealias Failure = Never

    private var entry: JournalEntry
    /// It is the only record: all values are in it.
    private let isAlone: Bool

    private init(_ head: consuming JournalEntry, isAlone: Bool) {
        entry = head
        self.isAlone = isAlone
    }

    /// `head` and what is known of a request that begins. It is the only record of that.
    static func entry(_ intent: AuditIntent, behind head: consuming JournalEntry) -> JournalEntry {
        var fields = JournalFields(head, isAlone: true)
        RecordColumns.visitBeginning(&fields, AuditSettlement(beginningWith: intent))
        return fields.entry
    }

    /// `head` and what is known of a request that has ended: what belongs into every entry, or all that its row has, but for
    /// attempts and bodies.
    static func entry(_ end: AuditSettlement, isAlone: Bool, behind head: consuming JournalEntry) -> JournalEntry {
        var fields = JournalFields(head, isAlone: isAlone)
        RecordColumns.visitBeginning(&fields, end)
        RecordColumns.visitEnd(&fields, end)
        return fields.entry
    }

    mutating func integer(_ column: Column, _ value: @autoclosure () -> Int64?) {
        guard let name = name(column), let value = value() else { return }
        entry.append(name, String(value))
    }

    mutating func real(_ column: Column, _ value: @autoclosure () -> Double?) {
        guard let name = name(column), let value = value() else { return }
        entry.append(name, String(value))
    }

    mutating func text(_ column: Column, _ value: @autoclosure () -> String?) {
        guard let name = name(column), let value = value() else { return }
        entry.append(name, value)
    }

    mutating func request(_ column: Column, _ value: @autoclosure () -> RequestID?) {
        guard let name = name(column), let value = value() else { return }
        entry.append(name, value.description)
    }

    mutating func counts(_ column: Column, _ value: @autoclosure () -> [Usage.Extra]?) {
        guard let name = name(column) else { return }
        for extra in value() ?? [] { entry.append(name, "\(extra.count) \(extra.name)") }
    }

    mutating func summary(_: Column) {}

    /// nil: the column is not in this entry.
    private func name(_ column: Column) -> StaticString? {
        switch column.field {
        case .every(let name): name
        case .alone(let name): isAlone ? name : nil
        case nil: nil
        }
    }
}
