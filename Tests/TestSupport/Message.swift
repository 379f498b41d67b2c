// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A head as it came over a wire, and what is asked about it.
package struct MessageHead: Sendable {
    /// With its line ends, the blank line included.
    package let text: String
    package let startLine: String
    package let fields: [(name: String, value: String)]

    /// Strict: every line ends with CR LF, and a name is followed by a colon at once.
    package init(_ bytes: [UInt8]) throws {
        text = String(decoding: bytes, as: UTF8.self)
        guard text.hasSuffix("\r\n\r\n") else { throw TestFailure("a head without an end: \(text.debugDescription)") }
        var lines: [String] = []
        for line in text.utf8.dropLast(4).split(separator: 10, omittingEmptySubsequences: false) {
            lines.append(String(decoding: line.last == 13 ? line.dropLast() : line, as: UTF8.self))
        }
        startLine = lines[0]
        fields = try lines.dropFirst().map { line in
            guard let colon = line.firstIndex(of: ":"), colon > line.startIndex, !line[..<colon].contains(" ") else {
                throw TestFailure("not a header field: \(line.debugDescription)")
            }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            return (String(line[..<colon]), String(value))
        }
    }

    package func all(_ name: String) -> [String] {
        fields.filter { $0.name.lowercased() == name.lowercased() }.map(\.value)
    }

    package subscript(name: String) -> String? { all(name).first }

    /// Lower-case names, in order.
    package var names: [String] { fields.map { $0.name.lowercased() } }
}

/// A request as the fake provider got it.
package struct RecordedRequest: Sendable {
    package let head: MessageHead
    package internal(set) var body: [UInt8] = []

    package var method: String { String(head.startLine.prefix { $0 != " " }) }
    package var target: String { String(head.startLine.split(separator: " ", omittingEmptySubsequences: false)[1]) }
    package subscript(name: String) -> String? { head[name] }
    package var text: String { String(decoding: body, as: UTF8.self) }
    /// The first segment of its path.
    package var provider: String { String(target.dropFirst().prefix { $0 != "/" }) }
}

/// An answer as a caller got it.
package struct Answer: Sendable {
    package enum Framing: Sendable { case none, length, chunked, close }

    package let head: MessageHead
    package let status: Int
    /// 1xx heads that came before it.
    package internal(set) var interim: [MessageHead] = []
    package internal(set) var framing = Framing.none
    package internal(set) var body: [UInt8] = []
    package internal(set) var trailers: [(name: String, value: String)] = []

    init(_ head: MessageHead) throws {
        self.head = head
        let parts = head.startLine.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "HTTP/1.1", parts[1].count == 3, let status = Int(parts[1]) else {
            throw TestFailure("not a status line: \(head.startLine.debugDescription)")
        }
        self.status = status
    }

    package subscript(name: String) -> String? { head[name] }
    package var text: String { String(decoding: body, as: UTF8.self) }
    /// The code of an error of menshen's own.
    package var problem: String? { head["x-menshen-error"] }
}
