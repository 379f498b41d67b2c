// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A message of the OpenTelemetry protocol as a tree of values, from which both of its encodings are made: they cannot differ.
package struct OTLPMessage: Sendable, Equatable {
    package enum Value: Sendable, Equatable {
        case message(OTLPMessage)
        case text(String)
        /// Base 64 in JSON.
        case bytes([UInt8])
        /// A trace's or span's id: hexadecimal in JSON.
        case id([UInt8])
        /// Text in JSON.
        case integer(Int64)
        case fixed64(UInt64)
        /// Numbers in JSON.
        case fixed32(UInt32)
        case number(Int32)
        case real(Double)
        case boolean(Bool)
        /// One field many times.
        case list([Value])
    }

    package struct Field: Sendable, Equatable {
        /// In protobuf, and in JSON.
        package let number: Int
        package let name: StaticString
        package let value: Value

        package static func == (one: Field, other: Field) -> Bool {
            one.number == other.number && one.value == other.value
        }
    }

    /// By their numbers.
    package private(set) var fields: [Field] = []

    package init() {}

    /// A list of nothing is no field.
    package mutating func add(_ number: Int, _ name: StaticString, _ value: Value) {
        if case .list(let values) = value, values.isEmpty { return }
        fields.append(Field(number: number, name: name, value: value))
    }

    package func adding(_ number: Int, _ name: StaticString, _ value: Value) -> OTLPMessage {
        var message = self
        message.add(number, name, value)
        return message
    }
}

// MARK: Attributes

extension OTLPMessage.Value {
    /// The protocol's `AnyValue` of it; only what an attribute can be.
    package var any: OTLPMessage {
        switch self {
        case .text: OTLPMessage().adding(1, "stringValue", self)
        case .boolean: OTLPMessage().adding(2, "boolValue", self)
        case .integer: OTLPMessage().adding(3, "intValue", self)
        case .real: OTLPMessage().adding(4, "doubleValue", self)
        case .list(let values):
            OTLPMessage().adding(
                5, "arrayValue",
                .message(OTLPMessage().adding(1, "values", .list(values.map { .message($0.any) }))))
        case .bytes: OTLPMessage().adding(7, "bytesValue", self)
        case .message, .id, .fixed64, .fixed32, .number: preconditionFailure("no attribute is of this kind")
        }
    }
}

/// What a span or record says: names with values. What is not known is not there.
package struct OTLPAttributes: Sendable {
    package private(set) var list: [OTLPMessage.Value] = []

    package init() {}

    package mutating func add(_ name: String, _ value: OTLPMessage.Value?) {
        guard let value else { return }
        list.append(
            .message(
                OTLPMessage().adding(1, "key", .text(name)).adding(2, "value", .message(value.any))))
    }

    package mutating func add(_ name: String, _ text: String?) { add(name, text.map { .text($0) }) }
    package mutating func add(_ name: String, _ count: Int64?) { add(name, count.map { .integer($0) }) }
    package mutating func add(_ other: OTLPAttributes) { list += other.list }
}
