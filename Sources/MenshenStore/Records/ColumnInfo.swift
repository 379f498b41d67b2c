// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// The columns of a list as values, for all that may take its time.
package struct ColumnInfo: Sendable {
    enum Kind: Sendable { case integer, real, text, request, counts, summary }

    let column: Column
    let kind: Kind
    /// When the answer begins.
    package let isKnownAtBeginning: Bool

    /// No row is without it.
    package var isRequired: Bool { column.isRequired }

    package var name: String { "\(column.name)" }

    /// Its field in the journal, if it has one.
    package var fieldName: String? {
        switch column.field {
        case .every(let name), .alone(let name): "\(name)"
        case nil: nil
        }
    }

    /// As `CREATE TABLE … STRICT` names it.
    package var type: String {
        switch kind {
        case .integer, .request, .summary: "INTEGER"
        case .real: "REAL"
        case .text, .counts: "TEXT"
        }
    }

    /// Makes a value of what an entry of the journal has in the column's field.
    func value(_ texts: [String]) -> ColumnValue {
        guard let text = texts.first else { return .none }
        switch kind {
        case .integer, .summary: return Int64(text).map(ColumnValue.integer) ?? .none
        case .real: return Double(text).map(ColumnValue.real) ?? .none
        case .text: return .text(text)
        case .request: return RequestID(text).map { .integer($0.rawValue) } ?? .none
        case .counts:
            // The journal does not keep their order.
            let counts = texts.sorted().compactMap { text -> Usage.Extra? in
                let parts = text.split(separator: " ", maxSplits: 1)
                guard parts.count == 2, let count = Int64(parts[0]) else { return nil }
                return Usage.Extra(name: String(parts[1]), count: count)
            }
            return Usage.Extra.json(counts).map(ColumnValue.text) ?? .none
        }
    }
}

/// A value away from its row.
enum ColumnValue: Sendable, Equatable {
    case none
    case integer(Int64)
    case real(Double)
    case text(String)
}

extension ColumnList {
    /// All of them, in their order.
    static func collect() -> [ColumnInfo] {
        var collector = ColumnCollector()
        visitBeginning(&collector, blank)
        collector.isBeginning = false
        visitEnd(&collector, blank)
        return collector.columns
    }
}

private struct ColumnCollector: ColumnVisitor {
    typealias Failure = Never

    var columns: [ColumnInfo] = []
    var isBeginning = true

    mutating func integer(_ column: Column, _: @autoclosure () -> Int64?) { add(column, .integer) }
    mutating func real(_ column: Column, _: @autoclosure () -> Double?) { add(column, .real) }
    mutating func text(_ column: Column, _: @autoclosure () -> String?) { add(column, .text) }
    mutating func request(_ column: Column, _: @autoclosure () -> RequestID?) { add(column, .request) }
    mutating func counts(_ column: Column, _: @autoclosure () -> [Usage.Extra]?) { add(column, .counts) }
    mutating func summary(_ column: Column) { add(column, .summary) }

    private mutating func add(_ column: Column, _ kind: ColumnInfo.Kind) {
        columns.append(ColumnInfo(column: column, kind: kind, isKnownAtBeginning: isBeginning))
    }
}

// MARK: The manual

extension RecordColumns {
    /// The manual's tables: a line for each meaning.
    package static var manual: (requests: String, usage: String) { (table(.row), table(.usage)) }

    private static func table(_ section: Column.Section) -> String {
        var lines: [(names: String, meaning: String)] = []
        var isInUsage = false
        for column in columns {
            if section == .row, column.column.section == .usage {
                if !isInUsage { lines.append((usageNames, "see *Usage*")) }
                isInUsage = true
            } else if column.column.section == section {
                if let meaning = column.column.meaning {
                    lines.append(("`\(column.name)`", "\(meaning)"))
                } else if !lines.isEmpty {
                    lines[lines.count - 1].names += ", `\(column.name)`"
                }
            }
        }
        return "| column | meaning |\n|---|---|\n" + lines.map { "| \($0.names) | \($0.meaning) |\n" }.joined()
    }

    private static var usageNames: String {
        let names = columns.filter { $0.column.section == .usage }.map { "`\($0.name)`" }
        return names.prefix(2).joined(separator: ", ") + " … " + (names.last ?? "")
    }
}
