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
        var output = Array(columns.joined(separator: ",").utf8) + .csvEnd
        for row in rows {
            for (place, datum) in row.enumerated() {
                if place > 0 { output.append(UInt8(ascii: ",")) }
                datum.append(csvTo: &output)
            }
            output += .csvEnd
        }
        return output
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

    fileprivate func append(csvTo output: inout [UInt8]) {
        switch self {
        case .text(let text?): output.append(csv: text)
        case .number(let number?): output += "\(number)".utf8
        case .money(let money?): output += money.dollars.utf8
        case .flag(let flag?): output += "\(flag)".utf8
        case .text(nil), .number(nil), .money(nil), .flag(nil): break
        }
    }
}
