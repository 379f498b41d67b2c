// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// What a page shows, for programs: behind `.json` all tables of a page, behind `.csv` its first. Sums are exact here.
struct DataTable: Sendable {
    enum Datum: Sendable, Equatable {
        case text(String?)
        case number(Int64?)
        /// Dollars, as a text: no program rounds it.
        case money(Money?)
        case flag(Bool?)
    }

    let name: String
    let columns: [String]
    var rows: [[Datum]] = []

    init(_ name: String, _ columns: [String], rows: [[Datum]] = []) {
        self.name = name
        self.columns = columns
        self.rows = rows
    }
}

extension DataTable {
    static func json(_ page: String, _ tables: [DataTable]) -> [UInt8] {
        var output = Array("{\"schema\":\"menshen.page.v1\",\"page\":".utf8)
        output.append(json: page)
        for table in tables {
            output.append(contentsOf: ",".utf8)
            output.append(json: table.name)
            output.append(contentsOf: ":[".utf8)
            for (index, row) in table.rows.enumerated() {
                output.append(contentsOf: (index == 0 ? "{" : ",{").utf8)
                for (place, column) in table.columns.enumerated() {
                    if place > 0 { output.append(UInt8(ascii: ",")) }
                    output.append(json: column)
                    output.append(UInt8(ascii: ":"))
                    row[place].append(jsonTo: &output)
                }
                output.append(UInt8(ascii: "}"))
            }
            output.append(UInt8(ascii: "]"))
        }
        output.append(contentsOf: "}\n".utf8)
        return output
    }

    var csv: [UInt8] {
        var text = columns.joined(separator: ",") + "\r\n"
        for row in rows { text += row.map(\.csv).joined(separator: ",") + "\r\n" }
        return Array(text.utf8)
    }
}

extension DataTable.Datum {
    fileprivate func append(jsonTo output: inout [UInt8]) {
        switch self {
        case .text(let text?): output.append(json: text)
        case .number(let number?): output.append(contentsOf: "\(number)".utf8)
        case .money(let money?): output.append(json: money.dollars)
        case .flag(let flag?): output.append(contentsOf: "\(flag)".utf8)
        case .text(nil), .number(nil), .money(nil), .flag(nil): output.append(contentsOf: "null".utf8)
        }
    }

    fileprivate var csv: String {
        switch self {
        case .text(let text?): Self.quoted(text)
        case .number(let number?): "\(number)"
        case .money(let money?): money.dollars
        case .flag(let flag?): "\(flag)"
        case .text(nil), .number(nil), .money(nil), .flag(nil): ""
        }
    }

    /// A text that a spreadsheet would take for a formula gets an apostrophe before it, as spreadsheets write texts.
    private static func quoted(_ text: String) -> String {
        let isFormula = text.utf8.first.map { "=+-@\t\r".utf8.contains($0) } ?? false
        let safe = isFormula ? "'" + text : text
        var field: [UInt8] = []
        field.append(csv: safe)
        return String(decoding: field, as: UTF8.self)
    }
}
