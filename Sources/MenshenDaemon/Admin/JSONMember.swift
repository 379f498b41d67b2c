// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// Members of the objects that pages answer with, as text.
enum JSONMember {
    static func text(_ name: String, _ value: String?) -> String { "\"\(name)\":\(value.map(quoted) ?? "null")" }

    static func number(_ name: String, _ value: (some BinaryInteger)?) -> String {
        "\"\(name)\":\(value.map { "\($0)" } ?? "null")"
    }

    static func texts(_ name: String, _ values: [String]) -> String {
        "\"\(name)\":[\(values.map(quoted).joined(separator: ","))]"
    }

    /// A value that is JSON already.
    static func json(_ name: String, _ value: String?) -> String { "\"\(name)\":\(value ?? "null")" }

    /// The same, of several.
    static func list(_ name: String, _ values: [String]) -> String { "\"\(name)\":[\(values.joined(separator: ","))]" }

    static func object(_ members: [String]) -> String { "{\(members.joined(separator: ","))}" }

    private static func quoted(_ text: String) -> String {
        var output: [UInt8] = []
        output.append(json: text)
        return String(decoding: output, as: UTF8.self)
    }
}
