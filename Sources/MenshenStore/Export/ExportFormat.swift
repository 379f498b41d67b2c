// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import SQLite

/// How a row is written for other programs.
package enum ExportFormat: String, Sendable, CaseIterable {
    /// One JSON object a line. Numbers that JSON's readers may round (ids, picodollars) are texts.
    case ndjson
    /// RFC 4180: a head, lines that end with CR LF, nothing where there is no value; texts as all of menshen's CSV has them.
    case csv

    /// The columns in their order: those of `requests`, and what is made of them.
    struct Column: Sendable {
        enum Source: Sendable { case request, microseconds, time, stored(Int32, ColumnInfo.Kind), seq, correction }

        let name: String
        let source: Source
        let type: String
        let isRequired: Bool
        let meaning: String
        /// Larger than a double holds.
        let isLarge: Bool
        /// The name as JSON has it, with its colon.
        let key: [UInt8]

        init(
            _ name: String, _ source: Source, _ type: String, _ meaning: String, isRequired: Bool = true,
            isLarge: Bool = false
        ) {
            (self.name, self.source, self.type, self.meaning) = (name, source, type, meaning)
            (self.isRequired, self.isLarge) = (isRequired, isLarge)
            key = Array("\"\(name)\":".utf8)
        }
    }

    static let columns: [Column] = {
        var columns = [
            Column("request_id", .request, "string", "the id as callers see it"),
            Column("began_us", .microseconds, "int64", "when the request began, in microseconds since 1970"),
            Column("began", .time, "timestamp[us, UTC]", "the same as RFC 3339 writes it"),
        ]
        for (index, info) in RecordColumns.columns.enumerated() {
            let type =
                switch info.kind {
                case .integer, .request, .summary: "int64"
                case .real: "double"
                case .text, .counts: "string"
                }
            columns.append(
                Column(
                    info.name, .stored(Int32(index), info.kind), type,
                    info.column.meaning.map { "\($0)" } ?? "see the column before",
                    isRequired: info.isRequired || info.kind == .summary,
                    isLarge: info.kind == .request || large.contains(info.name)))
        }
        return columns + [
            Column("chain_seq", .seq, "int64", "the link of the chain that settled or changed it; 0 if older"),
            Column("correction", .correction, "int64", "1: takes the place of a line that came before for the same id"),
        ]
    }()

    private static let large: Set<String> = ["cost", "saved", "stated_cost"]

    // MARK: Lines

    /// What stands before all lines.
    package var head: [UInt8] {
        guard self == .csv else { return [] }
        return Array(Self.columns.map(\.name).joined(separator: ",").utf8) + .csvEnd
    }

    /// Names, types and meanings of the columns, for whoever loads them.
    package var schema: [UInt8] {
        var output: [UInt8] = []
        if self == .csv { output += Array("column,type,nullable,meaning".utf8) + .csvEnd }
        for column in Self.columns {
            // NDJSON has them as text.
            let type = self == .ndjson && column.isLarge ? "string of \(column.type)" : column.type
            let values = [column.name, type, column.isRequired ? "false" : "true", column.meaning]
            for (index, value) in values.enumerated() {
                if self == .csv {
                    if index > 0 { output.append(UInt8(ascii: ",")) }
                    Self.append(csv: value, to: &output)
                } else {
                    output.append(UInt8(ascii: index == 0 ? "{" : ","))
                    output.append(json: ["column", "type", "nullable", "meaning"][index])
                    output.append(UInt8(ascii: ":"))
                    if index == 2 { output += value.utf8 } else { output.append(json: value) }
                }
            }
            output += self == .csv ? .csvEnd : [UInt8(ascii: "}"), 10]
        }
        return output
    }

    /// `row`: of `RecordRow.columns`.
    func append(_ row: Statement, link: Int64, isCorrection: Bool, to output: inout [UInt8]) {
        let id = RequestID(rawValue: row.integer(0) ?? 0)
        for (index, column) in Self.columns.enumerated() {
            if self == .csv {
                if index > 0 { output.append(UInt8(ascii: ",")) }
            } else {
                output.append(UInt8(ascii: index == 0 ? "{" : ","))
                output += column.key
            }
            switch column.source {
            case .request: append(text: id.description, to: &output)
            case .microseconds: append(id.microseconds, false, to: &output)
            case .time: append(text: id.began, to: &output)
            case .seq: append(link, false, to: &output)
            case .correction: append(isCorrection ? 1 : 0, false, to: &output)
            case .stored(let place, let kind): append(row, place, kind, column.isLarge, to: &output)
            }
        }
        output += self == .csv ? .csvEnd : [UInt8(ascii: "}"), 10]
    }

    private func append(
        _ row: Statement, _ place: Int32, _ kind: ColumnInfo.Kind, _ isLarge: Bool, to output: inout [UInt8]
    ) {
        if row.isNull(place) {
            if self == .ndjson { output += "null".utf8 }
            return
        }
        switch kind {
        case .integer, .request, .summary: append(row.integer(place) ?? 0, isLarge, to: &output)
        case .real: output += String(row.double(place) ?? 0).utf8
        case .text, .counts: append(text: row.text(place) ?? "", to: &output)
        }
    }

    private func append(_ number: Int64, _ isLarge: Bool, to output: inout [UInt8]) {
        let isText = isLarge && self == .ndjson
        if isText { output.append(UInt8(ascii: "\"")) }
        output += String(number).utf8
        if isText { output.append(UInt8(ascii: "\"")) }
    }

    private func append(text: String, to output: inout [UInt8]) {
        if self == .csv { Self.append(csv: text, to: &output) } else { output.append(json: text) }
    }

    /// An empty text is quoted, for nothing at all is NULL.
    private static func append(csv text: String, to output: inout [UInt8]) {
        if text.isEmpty { output += [34, 34] } else { output.append(csv: text) }
    }
}
