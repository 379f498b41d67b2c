// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CTOML

/// Reads TOML 1.0 with toml++. Pure: no file, no global state, any thread.
package enum TOMLDocument {
    /// A configuration has a few KiB; toml++ takes quadratic time on some texts, so it never sees a large one.
    package static let maxBytes = 1 << 20

    package static func parse(_ text: String) throws(TOMLError) -> TOMLTable { try parse(Array(text.utf8)) }

    /// Bytes as they come from a file: a UTF-8 byte order mark is skipped, anything that is not UTF-8 is an error.
    package static func parse(_ bytes: [UInt8]) throws(TOMLError) -> TOMLTable {
        guard bytes.count <= maxBytes else {
            throw TOMLError(span: SourceSpan(line: 1, column: 1), message: "the text is longer than \(maxBytes) bytes")
        }
        try KeyDepth.check(bytes)
        var fault = ctoml_error()
        let document = bytes.withUnsafeBytes { memory in
            ctoml_parse(memory.baseAddress?.assumingMemoryBound(to: CChar.self), memory.count, &fault)
        }
        guard let document else {
            let message = withUnsafeBytes(of: &fault.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            throw TOMLError(span: SourceSpan(fault.place), message: TOMLError.withoutValues(message))
        }
        defer { ctoml_free(document) }
        var count = 0
        let nodes = UnsafeBufferPointer(start: ctoml_nodes(document, &count), count: count)
        var next = 0
        guard case .table(let root) = item(nodes, &next).value else { preconditionFailure("a TOML root is a table") }
        return root
    }

    /// Builds the value at `next` and moves `next` behind its last descendant.
    private static func item(_ nodes: UnsafeBufferPointer<ctoml_node>, _ next: inout Int) -> TOMLItem {
        let node = nodes[next]
        next += 1
        let value: TOMLValue
        switch Int(node.kind) {
        case CTOML_STRING: value = .string(String(node.text))
        case CTOML_INTEGER: value = .integer(node.integer)
        case CTOML_FLOAT: value = .float(node.number)
        case CTOML_BOOLEAN: value = .boolean(node.integer != 0)
        case CTOML_DATE_TIME: value = .dateTime(String(node.text))
        case CTOML_ARRAY: value = .array((0..<node.children).map { _ in item(nodes, &next) })
        case CTOML_TABLE: value = .table(table(nodes, &next, children: node.children))
        default: preconditionFailure("CTOML has no kind \(node.kind)")
        }
        return TOMLItem(value: value, span: SourceSpan(node.place))
    }

    private static func table(_ nodes: UnsafeBufferPointer<ctoml_node>, _ next: inout Int, children: UInt32)
        -> TOMLTable
    {
        var entries: [TOMLTable.Entry] = []
        entries.reserveCapacity(Int(children))
        for _ in 0..<children {
            let node = nodes[next]
            let item = item(nodes, &next)
            entries.append(.init(key: String(node.key), keySpan: SourceSpan(node.key_place), item: item))
        }
        // toml++ hands keys out in alphabetical order.
        entries.sort { $0.keySpan < $1.keySpan }
        return TOMLTable(entries: entries)
    }
}

extension SourceSpan {
    fileprivate init(_ place: ctoml_place) { self.init(line: Int(place.line), column: Int(place.column)) }
}

extension String {
    fileprivate init(_ text: ctoml_text) {
        self.init(decoding: UnsafeRawBufferPointer(start: text.bytes, count: text.count), as: UTF8.self)
    }
}
