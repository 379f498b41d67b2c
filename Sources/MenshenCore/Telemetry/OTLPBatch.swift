// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// The two kinds of telemetry that are sent, each in requests of its own.
package enum OTLPSignal: String, Sendable, CaseIterable {
    case traces, logs

    /// Behind the endpoint that both have.
    package var path: String { "/v1/\(rawValue)" }

    /// The whole request. `resource`: what sends.
    package func batch(_ items: [OTLPMessage.Value], resource: [(name: String, value: String)], version: String)
        -> OTLPMessage
    {
        var attributes = OTLPAttributes()
        for (name, value) in resource { attributes.add(name, value) }
        let scope = OTLPMessage().adding(1, "name", .text("menshen")).adding(2, "version", .text(version))
        let schema = OTLPMessage.Value.text(GenAINames.schema)
        let inScope = OTLPMessage().adding(1, "scope", .message(scope))
            .adding(2, self == .traces ? "spans" : "logRecords", .list(items)).adding(3, "schemaUrl", schema)
        let ofResource = OTLPMessage()
            .adding(1, "resource", .message(OTLPMessage().adding(1, "attributes", .list(attributes.list))))
            .adding(2, self == .traces ? "scopeSpans" : "scopeLogs", .list([.message(inScope)]))
            .adding(3, "schemaUrl", schema)
        return OTLPMessage().adding(
            1, self == .traces ? "resourceSpans" : "resourceLogs", .list([.message(ofResource)]))
    }
}

/// What a receiver says to a batch that it took.
package struct OTLPReply: Sendable, Equatable {
    /// Items that it did not take.
    package private(set) var rejected: Int64 = 0
    /// Why, in its own words.
    package private(set) var message = ""

    /// nil: these are not the words of a receiver. An empty answer is one.
    package init?(_ bytes: [UInt8], _ encoding: OTLPEncoding) {
        if bytes.isEmpty { return }
        let isRead = encoding == .json ? read(json: bytes) : read(protobuf: bytes[...], isOuter: true)
        guard isRead else { return nil }
        rejected = max(0, rejected)
    }

    private static let paths = JSONPaths([
        "partialSuccess.rejectedSpans", "partialSuccess.rejectedLogRecords", "partialSuccess.errorMessage",
    ])

    private mutating func read(json bytes: [UInt8]) -> Bool {
        var scanner = JSONScanner(Self.paths)
        scanner.feed(bytes.span)
        guard scanner.isComplete, scanner.rootStart != nil else { return false }
        for finding in scanner.found {
            // A 64-bit integer is text in this JSON; some write a number.
            switch finding.path {
            case 2: message = finding.string ?? ""
            default: rejected = finding.count ?? finding.string.flatMap { Int64($0) } ?? 0
            }
        }
        return true
    }

    /// The outer message holds the partial success as its first field; that has a count and a text.
    private mutating func read(protobuf bytes: ArraySlice<UInt8>, isOuter: Bool) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            guard let tag = Self.varint(&rest), tag >> 3 > 0 else { return false }
            switch tag & 7 {
            case 0:
                guard let value = Self.varint(&rest) else { return false }
                if !isOuter, tag >> 3 == 1 { rejected = Int64(bitPattern: value) }
            case 1:
                guard rest.count >= 8 else { return false }
                rest = rest.dropFirst(8)
            case 5:
                guard rest.count >= 4 else { return false }
                rest = rest.dropFirst(4)
            case 2:
                guard let length = Self.varint(&rest), length <= UInt64(rest.count) else { return false }
                let inner = rest.prefix(Int(length))
                rest = rest.dropFirst(Int(length))
                if isOuter, tag >> 3 == 1 {
                    guard read(protobuf: inner, isOuter: false) else { return false }
                } else if !isOuter, tag >> 3 == 2 {
                    message = String(decoding: inner, as: UTF8.self)
                }
            default: return false
            }
        }
        return true
    }

    private static func varint(_ bytes: inout ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for place in 0..<10 {
            guard let byte = bytes.popFirst() else { return nil }
            value |= UInt64(byte & 0x7F) << UInt64(7 * place)
            if byte < 0x80 { return value }
        }
        return nil
    }
}
