// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// What commands print with `--json`.
enum JSONLine {
    enum Value {
        case text(String?)
        case number(Int64?)
        case flag(Bool)
    }

    static func object(_ members: [(name: String, value: Value)]) -> String {
        var output: [UInt8] = []
        for member in members {
            output.append(UInt8(ascii: output.isEmpty ? "{" : ","))
            output.append(json: member.name)
            output.append(UInt8(ascii: ":"))
            switch member.value {
            case .text(let text?): output.append(json: text)
            case .number(let number?): output.append(contentsOf: "\(number)".utf8)
            case .flag(let flag): output.append(contentsOf: "\(flag)".utf8)
            case .text(nil), .number(nil): output.append(contentsOf: "null".utf8)
            }
        }
        return String(decoding: output, as: UTF8.self) + "}"
    }
}
