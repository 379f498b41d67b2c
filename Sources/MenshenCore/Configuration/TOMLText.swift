// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Writes values as TOML.
package enum TOMLText {
    /// In place of a secret.
    static let hidden = quoted("***")

    /// A basic string; whatever the text holds, it reads back as itself.
    package static func quoted(_ text: String) -> String {
        var output = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": output += "\\\""
            case "\\": output += "\\\\"
            case "\n": output += "\\n"
            case "\r": output += "\\r"
            case "\t": output += "\\t"
            default:
                if scalar.value < 0x20 || scalar.value == 0x7F {
                    let hex = String(scalar.value, radix: 16, uppercase: true)
                    output += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
                } else {
                    output.unicodeScalars.append(scalar)
                }
            }
        }
        return output + "\""
    }

    static func list(_ texts: [String]) -> String { "[" + texts.map(quoted).joined(separator: ", ") + "]" }

    /// An inline table.
    static func table(_ entries: [(name: String, value: String)]) -> String {
        "{ " + entries.map { "\(quoted($0.name)) = \($0.value)" }.joined(separator: ", ") + " }"
    }

    static func duration(_ duration: Duration?) -> String { quoted(duration.map(DurationText.written) ?? "off") }

    static func size(_ bytes: Int) -> String { quoted(ByteSizeText.written(bytes)) }
}
