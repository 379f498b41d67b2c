// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP

/// What a byte stream turned out to hold, read the way a connection reads it: heads and bodies one after the other.
struct Reading: Equatable {
    struct Message: Equatable {
        var method = ""
        /// As it stood in the request line.
        var target = ""
        var minor = 1
        var fields: [Pair] = []
        var keepAlive = true
        var body: [UInt8] = []
        /// Index in the stream after the message's last byte.
        var end = 0
    }

    struct Pair: Equatable {
        var name: String
        var value: String
    }

    enum Ending: Equatable {
        /// The stream ended between two messages, or inside one.
        case waiting
        case refused(HTTPError)
    }

    var messages: [Message] = []
    var ending = Ending.waiting

    static let headLimit = 32 << 10
    static let bodyLimit = 1 << 20

    /// Reads `stream`, which arrives in pieces that end at `cuts` (ascending) and at the end.
    init(_ stream: [UInt8], cuts: [Int] = []) {
        var parser = RequestParser()
        var decoder: BodyDecoder?
        var message = Message()
        /// Bytes before this index are used.
        var used = 0
        do throws(HTTPError) {
            for cut in cuts + [stream.count] {
                arrival: while used < cut {
                    let piece = Array(stream[used..<cut])
                    if var body = decoder {
                        let step = try body.next(piece.span, from: 0)
                        decoder = body
                        switch step {
                        case .data(let range):
                            message.body += piece[range]
                            used += range.upperBound
                            if !body.isDone { continue arrival }
                        case .needMore(let consumed):
                            used += consumed
                            break arrival
                        case .end(let consumed): used += consumed
                        }
                    } else {
                        switch try parser.parse(piece.span, limit: Self.headLimit) {
                        case .needMore: break arrival
                        case .head(let head, let consumed):
                            used += consumed
                            message = Message(head)
                            let body = try BodyDecoder(head.framing, limit: Self.bodyLimit)
                            decoder = body
                            if !body.isDone { continue arrival }
                        }
                    }
                    decoder = nil
                    message.end = used
                    messages.append(message)
                }
            }
        } catch {
            ending = .refused(error)
        }
    }
}

extension Reading.Message {
    init(_ head: RequestHead) {
        method = head.method.rawValue
        // Absolute form: what stands between the method and the version.
        let line = head.bytes.prefix { $0 != 13 }
        let parts = line.split(separator: 0x20)
        target = parts.count == 3 ? String(decoding: parts[1], as: UTF8.self) : ""
        minor = head.isHTTP11 ? 1 : 0
        fields = head.fields.map { .init(name: head.text($0.name), value: head.text($0.value)) }
        keepAlive = head.keepAlive
    }
}
