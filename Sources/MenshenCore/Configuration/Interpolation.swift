// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// `${NAME}` and `${NAME:-default}` in a string value; `$${` stands for a literal `${`. As in the shell, `:-` also
/// covers a variable that is set to nothing. Defaults are literal text.
package enum Interpolation {
    package enum Fault: Equatable {
        /// Not set, and no default given.
        case unset(name: String)
        case unterminated
        /// What stands between the braces is not repeated: it may be a key that lost its way.
        case notAName
    }

    package struct Outcome: Equatable {
        package var text: String
        /// True if a variable was filled in: the text may now be a secret.
        package var isExpanded: Bool
        package var faults: [Fault]
    }

    package static func expand(_ text: String, environment: (String) -> String?) -> Outcome {
        guard text.utf8.contains(UInt8(ascii: "$")) else { return Outcome(text: text, isExpanded: false, faults: []) }
        let dollar = UInt8(ascii: "$")
        let brace = UInt8(ascii: "{")
        var output: [UInt8] = []
        var outcome = Outcome(text: "", isExpanded: false, faults: [])
        var rest = Array(text.utf8)[...]
        while let byte = rest.first {
            if byte == dollar, rest.dropFirst().first == dollar, rest.dropFirst(2).first == brace {
                output += [dollar, brace]
                rest = rest.dropFirst(3)
            } else if byte == dollar, rest.dropFirst().first == brace {
                guard let end = rest.firstIndex(of: UInt8(ascii: "}")) else {
                    outcome.faults.append(.unterminated)
                    break
                }
                fill(rest[(rest.startIndex + 2)..<end], environment, &output, &outcome)
                rest = rest[(end + 1)...]
            } else {
                output.append(byte)
                rest = rest.dropFirst()
            }
        }
        outcome.text = String(decoding: output, as: UTF8.self)
        return outcome
    }

    private static func fill(
        _ inside: ArraySlice<UInt8>, _ environment: (String) -> String?, _ output: inout [UInt8],
        _ outcome: inout Outcome
    ) {
        let colon = inside.firstIndex(of: UInt8(ascii: ":"))
        let nameBytes = inside[..<(colon ?? inside.endIndex)]
        guard isName(nameBytes) else { return outcome.faults.append(.notAName) }
        let name = String(decoding: nameBytes, as: UTF8.self)
        outcome.isExpanded = true
        guard let colon else {
            guard let value = environment(name) else { return outcome.faults.append(.unset(name: name)) }
            output += Array(value.utf8)
            return
        }
        guard inside.dropFirst(colon - inside.startIndex + 1).first == UInt8(ascii: "-") else {
            return outcome.faults.append(.notAName)
        }
        if let value = environment(name), !value.isEmpty {
            output += Array(value.utf8)
        } else {
            output += inside[(colon + 2)...]
        }
    }

    /// A name the shell would accept for a variable.
    static func isName(_ bytes: some Collection<UInt8>) -> Bool {
        guard let first = bytes.first, !(48...57).contains(first) else { return false }
        return bytes.allSatisfy { byte in
            switch byte {
            case 48...57, 65...90, 97...122, UInt8(ascii: "_"): true
            default: false
            }
        }
    }
}
