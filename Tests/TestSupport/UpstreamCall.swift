// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// One request at the fake provider, and what its script does about it. Belongs to the connection's thread.
package final class UpstreamCall {
    package internal(set) var request: RecordedRequest
    package let wire: Wire
    /// Number of the connection, and of the request on it, from 0.
    package let connection: Int
    package let number: Int
    var goesOn = true

    init(_ request: RecordedRequest, _ wire: Wire, connection: Int, number: Int) {
        self.request = request
        self.wire = wire
        self.connection = connection
        self.number = number
    }

    /// Who of several is asked (see `Stage.provider`).
    package var provider: String { request.provider }

    package func send(_ text: String) throws { try wire.write(text) }
    package func send(_ bytes: [UInt8]) throws { try wire.write(bytes) }

    /// A whole answer of that body, with its length.
    package func reply(
        _ status: Int = 200, _ fields: [String] = ["Content-Type: application/json"], body: String = "{}"
    ) throws {
        var head = "HTTP/1.1 \(status) Some Reason\r\n"
        for field in fields { head += field + "\r\n" }
        try send(head + "Content-Length: \(body.utf8.count)\r\n\r\n" + body)
    }

    /// The head of a streamed answer.
    package func beginStream(_ fields: [String] = ["Content-Type: text/event-stream"]) throws {
        var head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
        for field in fields { head += field + "\r\n" }
        try send(head + "\r\n")
    }

    package func chunk(_ text: String) throws { try chunk(Array(text.utf8)) }

    package func chunk(_ bytes: [UInt8]) throws {
        try send(Array((String(bytes.count, radix: 16) + "\r\n").utf8) + bytes + [13, 10])
    }

    package func endStream(trailers: [String] = []) throws {
        try send("0\r\n" + trailers.map { $0 + "\r\n" }.joined() + "\r\n")
    }

    /// Reads the rest of the body of a request that came with `readsBody: false`.
    package func readBody() throws { request.body = try UpstreamConnection.body(of: request.head, wire) }

    package func close() {
        goesOn = false
        wire.close()
    }

    package func reset() {
        goesOn = false
        wire.reset()
    }

    /// Returns when menshen has closed this connection.
    package func waitForEnd() throws {
        goesOn = false
        try wire.waitForEnd()
    }
}

enum UpstreamConnection {
    static func body(of head: MessageHead, _ wire: Wire) throws -> [UInt8] {
        if let length = head["Content-Length"].flatMap({ Int($0) }) { return try wire.read(exactly: length) }
        guard head["Transfer-Encoding"] == "chunked" else { return [] }
        let reader = RawClient(wire)
        var body: [UInt8] = []
        while let chunk = try reader.chunk() { body += chunk }
        _ = try reader.trailers()
        return body
    }
}
