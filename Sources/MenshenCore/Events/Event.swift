// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Something that happened, once for all who are told of it: the log, the journal, and whoever reads its catalogue.
package struct Event: Sendable, Equatable {
    package let kind: EventKind
    /// A constant sentence with what it is about. Never holds a value of a header, a body or a key.
    package let message: String
    /// Values of the kind's fields, in their order.
    private let values: [String]
    /// A stranger can cause it at will, so only some a minute are told.
    package let isLimited: Bool

    init(_ kind: EventKind, _ message: String, _ values: String..., isLimited: Bool = false) {
        precondition(values.count == kind.fields.count, "an event has other fields than its kind: \(message)")
        self.kind = kind
        self.message = message
        self.values = values
        self.isLimited = isLimited
    }

    package var fields: [(String, String)] { Array(zip(kind.fields, values)) }
}
