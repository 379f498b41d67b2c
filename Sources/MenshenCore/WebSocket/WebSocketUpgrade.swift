// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import HTTP

/// A request to change the connection to WebSocket (RFC 6455 §4.2.1): what of it goes upstream. Extensions do not:
/// compressed messages could not be read.
package struct WebSocketUpgrade: Sendable {
    /// Value of Sec-WebSocket-Key, of which the provider makes the proof that the caller checks.
    package let key: Range<Int>
    /// Value of Sec-WebSocket-Protocol, without the entries that carry credentials; empty if nothing is left.
    package let protocols: [UInt8]

    /// nil for a request that is to be treated like any other.
    package init?(_ head: RequestHead) {
        guard head.method == .get, head.isHTTP11, head.framing == .none, Self.lists(head, .upgrade, Self.name),
            Self.lists(head, .connection, Self.option),
            let key = Self.only(head, .webSocketKey), let version = Self.only(head, .webSocketVersion),
            head.bytes.span.equals(Self.version, in: version)
        else { return nil }
        self.key = key
        var kept: [UInt8] = []
        for field in head.fields where field.known == .webSocketProtocol {
            for entry in Self.entries(head.bytes[field.value])
            where !Self.credentials.contains(where: { Self.begins(entry, with: $0) }) {
                if !kept.isEmpty { kept.append(ascii: ", ") }
                kept += entry
            }
        }
        protocols = kept
    }

    /// The token that a browser, which can set no other header, names as a sub-protocol.
    package static func token(_ entry: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        begins(entry, with: apiKey) ? entry.dropFirst(apiKey.count) : nil
    }

    /// The parts of a value that is a list, without the spaces around them.
    package static func entries(_ value: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        value.split(separator: UInt8(ascii: ",")).compactMap { part in
            var entry = part
            while let first = entry.first, ByteClass.isSpace(first) { entry = entry.dropFirst() }
            while let last = entry.last, ByteClass.isSpace(last) { entry = entry.dropLast() }
            return entry.isEmpty ? nil : entry
        }
    }

    private static let name = Array("websocket".utf8)
    private static let option = Array("upgrade".utf8)
    private static let version = Array("13".utf8)
    private static let apiKey = Array("openai-insecure-api-key.".utf8)
    /// A key, and the names of who pays.
    private static let credentials = [
        apiKey, Array("openai-organization.".utf8), Array("openai-project.".utf8),
    ]

    private static func lists(_ head: RequestHead, _ name: FieldName, _ wanted: [UInt8]) -> Bool {
        head.fields.contains { field in
            field.known == name
                && entries(head.bytes[field.value]).contains { $0.elementsEqual(wanted) { $0.lowercased == $1 } }
        }
    }

    private static func begins(_ entry: ArraySlice<UInt8>, with prefix: [UInt8]) -> Bool {
        entry.count >= prefix.count && zip(entry, prefix).allSatisfy { $0.lowercased == $1 }
    }

    /// The value of the only field of that name, if it has one.
    private static func only(_ head: RequestHead, _ name: FieldName) -> Range<Int>? {
        let values = head.fields.filter { $0.known == name }.map(\.value)
        return values.count == 1 && !values[0].isEmpty ? values[0] : nil
    }
}
