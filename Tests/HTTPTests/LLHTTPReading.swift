// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import NIOCore
import NIOEmbedded
import NIOHTTP1

/// llhttp, the parser of Node.js, fed piece by piece; what it finds, in the form of `Reading`.
final class LLHTTPReading {
    private let channel = EmbeddedChannel()
    private(set) var messages: [Reading.Message] = []
    /// A head has come whose message has not ended.
    private(set) var isInside = false
    private(set) var failure: String?
    /// It takes "Connection: close" of a trailer for the request's; RFC 9110 §6.5.1 has no such trailer.
    private(set) var heardClose = false

    init() throws {
        try channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(HTTPRequestDecoder()))
    }

    deinit {
        // What is left over is of no interest, and neither is its complaint.
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    /// False once llhttp has refused something.
    func feed(_ bytes: ArraySlice<UInt8>) throws -> Bool {
        if failure != nil { return false }
        if bytes.isEmpty { return true }
        do {
            try channel.writeInbound(ByteBuffer(bytes: bytes))
        } catch {
            failure = "\(error)"
            heardClose = error as? HTTPParserError == .closedConnection
        }
        while let part = try channel.readInbound(as: HTTPServerRequestPart.self) {
            switch part {
            case .head(let head):
                isInside = true
                messages.append(Self.message(head))
            case .body(let piece): messages[messages.count - 1].body += piece.readableBytesView
            case .end: isInside = false
            }
        }
        return failure == nil
    }

    private static func message(_ head: HTTPRequestHead) -> Reading.Message {
        var message = Reading.Message()
        message.method = head.method.rawValue
        message.target = head.uri
        message.minor = head.version.minor
        // llhttp hands the spaces after a value over with it; they are no part of it (RFC 9110 §5.5).
        message.fields = head.headers.map { .init(name: $0.name, value: $0.value.trimmingEnd()) }
        message.keepAlive = head.isKeepAlive
        return message
    }
}

extension LLHTTPReading {
    /// Nil if llhttp agrees with `reading` of `stream`: every message that ours accepted is there, with the same parts,
    /// and ends at the same byte. Otherwise what differs. Ours may refuse more.
    static func disagreement(_ reading: Reading, _ stream: [UInt8]) throws -> String? {
        let other = try LLHTTPReading()
        var start = 0
        for (index, message) in reading.messages.enumerated() {
            // Up to the last byte the message must not be over; with it, it must be.
            guard try other.feed(stream[start..<message.end - 1]) else {
                if other.heardClose { return nil }
                return "llhttp refuses message \(index): \(other.failure ?? "")"
            }
            let isEarly = other.messages.count > index + 1 || other.messages.count == index + 1 && !other.isInside
            if isEarly { return "llhttp ends message \(index) before byte \(message.end)" }
            guard try other.feed(stream[message.end - 1..<message.end]) else {
                return "llhttp refuses message \(index) at its end: \(other.failure ?? "")"
            }
            guard other.messages.count == index + 1, !other.isInside else {
                return "llhttp does not end message \(index) at byte \(message.end)"
            }
            let hasTab = stream[start..<message.end].contains(9)
            if let difference = difference(message, other.messages[index], hasTab) {
                return "message \(index): \(difference)"
            }
            // llhttp takes what follows for another protocol, or for nothing at all; a server may go on (RFC 9110 §7.8).
            if message.has("upgrade") || !message.keepAlive || !other.messages[index].keepAlive { return nil }
            start = message.end
        }
        return nil
    }

    private static func difference(
        _ ours: Reading.Message, _ theirs: Reading.Message, _ hasTab: Bool
    ) -> String? {
        if ours.method != theirs.method { return "method \(ours.method), \(theirs.method)" }
        if ours.target != theirs.target { return "target \(ours.target), \(theirs.target)" }
        if ours.minor != theirs.minor { return "version 1.\(ours.minor), 1.\(theirs.minor)" }
        if ours.fields.count != theirs.fields.count { return "\(ours.fields.count) fields, \(theirs.fields.count)" }
        for (our, their) in zip(ours.fields, theirs.fields) {
            if our.name != their.name { return "name \(our.name.debugDescription), \(their.name.debugDescription)" }
            if our.value != their.value {
                return "value \(our.value.debugDescription), \(their.value.debugDescription)"
            }
        }
        if ours.body != theirs.body { return "body of \(ours.body.count) bytes, \(theirs.body.count)" }
        // llhttp lets "keep-alive" win in HTTP/1.0, where RFC 9112 §9.3 lets "close" win, and knows neither word when a tab
        // follows. It also hears the obsolete Proxy-Connection, which RFC 9112 §C.2.2 does not know.
        let isExcused = ours.minor == 0 && !ours.keepAlive || hasTab && ours.keepAlive == (ours.minor == 0)
        if ours.keepAlive != theirs.keepAlive, !isExcused, !ours.has("proxy-connection") {
            return "keep-alive \(ours.keepAlive), \(theirs.keepAlive)"
        }
        return nil
    }
}

extension Reading.Message {
    func has(_ name: String) -> Bool { fields.contains { $0.name.lowercased() == name } }
}

extension String {
    fileprivate func trimmingEnd() -> String {
        var part = self[...]
        while part.utf8.last == 0x20 || part.utf8.last == 0x09 { part = part.dropLast() }
        return String(part)
    }
}
