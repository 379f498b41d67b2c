// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// Markup. In a literal, what is interpolated is text and is escaped, unless it is markup itself; so a page is written as it will
/// stand in the browser, and no name can become an element or leave the quotes of an attribute.
struct HTML: Sendable, Equatable, ExpressibleByStringInterpolation {
    private(set) var text: String

    static let nothing = HTML(stringLiteral: "")

    init(stringLiteral text: String) { self.text = text }
    init(stringInterpolation interpolation: Interpolation) { text = interpolation.text }

    var isEmpty: Bool { text.isEmpty }

    static func + (one: HTML, other: HTML) -> HTML { HTML(stringLiteral: one.text + other.text) }
    static func += (one: inout HTML, other: HTML) { one.text += other.text }

    struct Interpolation: StringInterpolationProtocol {
        fileprivate var text = ""

        init(literalCapacity: Int, interpolationCount: Int) { text.reserveCapacity(literalCapacity * 2) }

        mutating func appendLiteral(_ literal: String) { text += literal }
        mutating func appendInterpolation(_ markup: HTML) { text += markup.text }
        mutating func appendInterpolation(_ markup: [HTML]) { for part in markup { text += part.text } }
        mutating func appendInterpolation(_ address: Address) { text += HTML.escaped(address.text) }
        mutating func appendInterpolation(_ number: some BinaryInteger) { text += String(number) }
        mutating func appendInterpolation(_ plain: String) { text += HTML.escaped(plain) }
        /// Markup that is there only sometimes.
        mutating func appendInterpolation(_ markup: HTML, if isThere: Bool) { if isThere { text += markup.text } }
    }

    /// Signs of markup are written as such, and what steers a terminal or the direction of text as its number.
    static func escaped(_ plain: String) -> String {
        if plain.utf8.allSatisfy(isPlain) { return plain }
        let lines = plain.split(separator: "\n", omittingEmptySubsequences: false)
        let clean = lines.map { $0.isEmpty ? "" : ShownName.clean(String($0)) }.joined(separator: "\n")
        var text = ""
        text.reserveCapacity(clean.utf8.count + 16)
        for character in clean.unicodeScalars {
            switch character {
            case "&": text += "&amp;"
            case "<": text += "&lt;"
            case ">": text += "&gt;"
            case "\"": text += "&quot;"
            case "'": text += "&#39;"
            default: text.unicodeScalars.append(character)
            }
        }
        return text
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x20...0x7e: !"&<>\"'".utf8.contains(byte)
        default: false
        }
    }
}

extension Sequence<HTML> {
    func joined(separator: HTML = .nothing) -> HTML {
        HTML(stringLiteral: map(\.text).joined(separator: separator.text))
    }
}

extension HTML {
    /// A name that others chose, in a direction of its own.
    static func name(_ name: String) -> HTML { "<bdi>\(ShownName.clean(name))</bdi>" }

    /// A name, or that there is none.
    static func name(_ name: String?, of dimension: Dimension) -> HTML {
        if let name { return Self.name(dimension.shown(name)) }
        return "<span class=\"muted\">\(dimension.noneText)</span>"
    }
}
