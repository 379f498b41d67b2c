// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// How a message of the OpenTelemetry protocol is written. The raw values are those of `OTEL_EXPORTER_OTLP_PROTOCOL`.
package enum OTLPEncoding: String, Sendable, CaseIterable {
    case protobuf = "http/protobuf"
    case json = "http/json"

    package var contentType: StaticString {
        switch self {
        case .protobuf: "application/x-protobuf"
        case .json: "application/json"
        }
    }

    package func bytes(of message: OTLPMessage) -> [UInt8] {
        var bytes: [UInt8] = []
        switch self {
        case .protobuf: bytes.append(protobuf: message)
        case .json: bytes.append(json: message)
        }
        return bytes
    }
}

// MARK: Protobuf

extension [UInt8] {
    fileprivate mutating func append(protobuf message: OTLPMessage) {
        for field in message.fields { append(field.number, field.value) }
    }

    private mutating func append(_ number: Int, _ value: OTLPMessage.Value) {
        switch value {
        case .message(let message):
            var inner: [UInt8] = []
            inner.append(protobuf: message)
            append(number, delimited: inner)
        case .text(let text): append(number, delimited: Array(text.utf8))
        case .bytes(let bytes), .id(let bytes): append(number, delimited: bytes)
        case .integer(let integer):
            append(tag: number, wire: 0)
            append(varint: UInt64(bitPattern: integer))
        case .number(let integer):
            append(tag: number, wire: 0)
            append(varint: UInt64(bitPattern: Int64(integer)))
        case .boolean(let boolean):
            append(tag: number, wire: 0)
            append(boolean ? 1 : 0)
        case .fixed64(let integer):
            append(tag: number, wire: 1)
            append(little: integer, 8)
        case .real(let real):
            append(tag: number, wire: 1)
            append(little: real.bitPattern, 8)
        case .fixed32(let integer):
            append(tag: number, wire: 5)
            append(little: UInt64(integer), 4)
        case .list(let values):
            for value in values { append(number, value) }
        }
    }

    private mutating func append(_ number: Int, delimited bytes: [UInt8]) {
        append(tag: number, wire: 2)
        append(varint: UInt64(bytes.count))
        self += bytes
    }

    private mutating func append(tag number: Int, wire: UInt64) { append(varint: UInt64(number) << 3 | wire) }

    private mutating func append(varint value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(rest))
    }

    private mutating func append(little value: UInt64, _ count: UInt64) {
        for place in 0..<count { append(UInt8(truncatingIfNeeded: value >> (8 * place))) }
    }
}

// MARK: JSON

extension [UInt8] {
    fileprivate mutating func append(json message: OTLPMessage) {
        append(UInt8(ascii: "{"))
        for (index, field) in message.fields.enumerated() {
            if index > 0 { append(UInt8(ascii: ",")) }
            append(json: "\(field.name)")
            append(UInt8(ascii: ":"))
            append(json: field.value)
        }
        append(UInt8(ascii: "}"))
    }

    private mutating func append(json value: OTLPMessage.Value) {
        switch value {
        case .message(let message): append(json: message)
        case .text(let text): append(json: text)
        case .bytes(let bytes): append(json: Base64.encode(bytes))
        case .id(let bytes): append(json: Hexadecimal.text(bytes))
        case .integer(let integer): append(json: "\(integer)")
        case .fixed64(let integer): append(json: "\(integer)")
        case .fixed32(let integer): self += "\(integer)".utf8
        case .number(let integer): self += "\(integer)".utf8
        // JSON has no word for what is not finite; the protocol writes it as text.
        case .real(let real):
            if real.isFinite {
                self += "\(real)".utf8
            } else {
                append(json: real.isNaN ? "NaN" : real < 0 ? "-Infinity" : "Infinity")
            }
        case .boolean(let boolean): self += (boolean ? "true" : "false").utf8
        case .list(let values):
            append(UInt8(ascii: "["))
            for (index, value) in values.enumerated() {
                if index > 0 { append(UInt8(ascii: ",")) }
                append(json: value)
            }
            append(UInt8(ascii: "]"))
        }
    }
}
