// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Where a page is, with its parameters. All names in it are percent-encoded.
struct Address: Sendable, Equatable {
    struct Parameter: Sendable, Equatable {
        let name: String
        let value: String
    }

    static let root = "/_menshen/ui/"

    /// Below the root; empty for the overview.
    var path: [String]
    var parameters: [Parameter] = []
    var fragment: String?

    init(_ path: String..., parameters: [Parameter] = []) {
        self.path = path
        self.parameters = parameters
    }

    init(path: [String], parameters: [Parameter] = []) {
        self.path = path
        self.parameters = parameters
    }

    /// With one value for a name, in place of all that it had.
    func with(_ name: String, _ value: String?) -> Address {
        var changed = self
        changed.parameters.removeAll { $0.name == name }
        if let value { changed.parameters.append(Parameter(name: name, value: value)) }
        return changed
    }

    func without(_ names: String...) -> Address {
        var changed = self
        changed.parameters.removeAll { names.contains($0.name) }
        return changed
    }

    func without(_ parameter: Parameter) -> Address {
        var changed = self
        changed.parameters.removeAll { $0 == parameter }
        return changed
    }

    func at(_ path: String...) -> Address { Address(path: path, parameters: parameters) }

    /// The same in another format.
    func with(suffix: String) -> Address {
        var changed = self
        if changed.path.isEmpty { changed.path = ["overview"] }
        changed.path[changed.path.count - 1] += suffix
        return changed
    }

    func fragment(_ name: String) -> Address {
        var changed = self
        changed.fragment = name
        return changed
    }

    var text: String {
        var text = Self.root + path.map(Self.encoded).joined(separator: "/")
        for (index, parameter) in parameters.enumerated() {
            text += "\(index == 0 ? "?" : "&")\(Self.encoded(parameter.name))=\(Self.encoded(parameter.value))"
        }
        if let fragment { text += "#" + Self.encoded(fragment) }
        return text
    }

    private static func encoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"), UInt8(ascii: ":"), UInt8(ascii: "*"):
                bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        // A segment of dots would climb.
        if !bytes.isEmpty, bytes.allSatisfy({ $0 == UInt8(ascii: ".") }) {
            return String(repeating: "%2E", count: bytes.count)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
