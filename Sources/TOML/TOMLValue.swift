// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A place in a text. Lines and columns begin at 1; a column counts Unicode scalars.
package struct SourceSpan: Sendable, Hashable, Comparable {
    package var line: Int
    package var column: Int

    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    package static func < (left: SourceSpan, right: SourceSpan) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}

package enum TOMLValue: Sendable, Equatable {
    case string(String)
    case integer(Int64)
    case float(Double)
    case boolean(Bool)
    /// RFC 3339 form; also a date or a time alone.
    case dateTime(String)
    case array([TOMLItem])
    case table(TOMLTable)

    /// With its article, for messages.
    package var kindName: String {
        switch self {
        case .string: "a string"
        case .integer: "an integer"
        case .float: "a float"
        case .boolean: "a boolean"
        case .dateTime: "a date or time"
        case .array: "an array"
        case .table: "a table"
        }
    }
}

/// A value and where it stands.
package struct TOMLItem: Sendable, Equatable {
    package var value: TOMLValue
    package var span: SourceSpan

    package init(value: TOMLValue, span: SourceSpan) {
        self.value = value
        self.span = span
    }
}

/// Entries in the order of the text. Look-up is linear: a configuration's tables have about ten.
package struct TOMLTable: Sendable, Equatable {
    package struct Entry: Sendable, Equatable {
        package var key: String
        package var keySpan: SourceSpan
        package var item: TOMLItem

        package init(key: String, keySpan: SourceSpan, item: TOMLItem) {
            self.key = key
            self.keySpan = keySpan
            self.item = item
        }
    }

    package var entries: [Entry]

    package init(entries: [Entry] = []) { self.entries = entries }

    package func entry(_ key: String) -> Entry? { entries.first { $0.key == key } }
    package subscript(key: String) -> TOMLValue? { entry(key)?.item.value }
}
