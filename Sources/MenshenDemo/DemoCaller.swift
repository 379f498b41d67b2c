// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
internal import HTTP
internal import Linux

/// The caller of `menshen demo`: an HTTP client that knows the socket and no key. Blocking; runs on a thread of its own.
struct DemoCaller: Sendable {
    /// Worth nothing, and told from everything else by their words.
    static let decoys: [(name: String, value: String, secret: String)] = [
        ("Authorization", "Bearer unused-token", "unused-token"), ("x-api-key", "decoy-key", "decoy-key"),
        ("Cookie", "session=decoy-cookie", "decoy-cookie"),
    ]

    /// What came back.
    struct Reply: Sendable {
        var status = 0
        var fields: [(name: String, value: String)] = []
        /// Everything as it came, head included.
        var bytes: [UInt8] = []
        /// Texts of the answer, in the pieces in which they came, with microseconds since the request was sent.
        var pieces: [(text: String, at: UInt64)] = []

        var text: String { pieces.map(\.text).joined() }
        func first(_ name: String) -> String? { fields.first { $0.name == name }?.value }
    }

    let socket: String

    static func body(isStream: Bool) -> String {
        #"{"model":"\#(DemoProvider.model)","stream":\#(isStream),"messages":[{"role":"user","content":"Good morning!"}]}"#
    }

    /// Sends one chat request; `onPiece` is called for each piece of the answer's text as it arrives.
    func ask(isStream: Bool, onPiece: (String) -> Void) throws -> Reply {
        let fd = try UnixAddress(socket).connect()
        defer { close(fd) }
        // Far longer than the answer takes; nobody waits longer than this for a demo.
        SocketIO.setPatience(fd, seconds: 5)
        let body = Self.body(isStream: isStream)
        var request = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        for decoy in Self.decoys { request += "\(decoy.name): \(decoy.value)\r\n" }
        request += "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
        let start = Clock.monotonic()
        try send(fd, Array(request.utf8))

        var reply = Reply()
        var decoder: BodyDecoder?
        var used = 0
        var text = DemoText()
        while true {
            try receive(fd, &reply.bytes)
            if decoder == nil {
                guard let end = Self.readHead(&reply) else { continue }
                used = end
                decoder = try BodyDecoder(Self.framing(reply), limit: 1 << 20)
            }
            while let step = try decoder?.next(in: reply.bytes, from: used) {
                switch step {
                case .data(let range):
                    used = range.upperBound
                    for piece in text.read(reply.bytes[range]) {
                        reply.pieces.append((piece, Clock.monotonic() - start))
                        onPiece(piece)
                    }
                    continue
                case .needMore(let consumed): used = consumed
                case .end: return reply
                }
                break
            }
        }
    }

    private func send(_ fd: Int32, _ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            switch bytes.withUnsafeBytes({ SocketIO.write(fd, UnsafeRawBufferPointer(rebasing: $0[sent...])) }) {
            case .bytes(let count): sent += count
            case .wouldBlock: continue
            case .failed(let code): throw SystemError("send", code: code, subject: socket)
            }
        }
    }

    private func receive(_ fd: Int32, _ bytes: inout [UInt8]) throws {
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        switch buffer.withUnsafeMutableBytes({ SocketIO.read(fd, into: $0) }) {
        case .bytes(0): throw DemoFault("menshen closed the connection before the answer was whole")
        case .bytes(let count): bytes += buffer[..<count]
        case .wouldBlock: throw DemoFault("menshen said nothing for 5 seconds")
        case .failed(let code): throw SystemError("recv", code: code, subject: socket)
        }
    }

    /// Returns the index after the head once it is there.
    private static func readHead(_ reply: inout Reply) -> Int? {
        let bytes = reply.bytes
        guard let end = bytes.indices.dropLast(3).first(where: { bytes[$0..<$0 + 4].elementsEqual([13, 10, 13, 10]) })
        else { return nil }
        let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
        reply.status = lines.first.flatMap { Int($0.split(separator: " ").dropFirst().first ?? "") } ?? 0
        reply.fields = lines.dropFirst().compactMap { line in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            return (line[..<colon].lowercased(), String(line[line.index(after: colon)...].drop { $0 == " " }))
        }
        return end + 4
    }

    private static func framing(_ reply: Reply) -> RequestHead.Framing {
        if let length = reply.first("content-length").flatMap({ Int($0) }) { return .fixed(length) }
        return reply.first("transfer-encoding") == "chunked" ? .chunked : .none
    }
}

/// Takes the provider's words out of what it sent: each `"content":"…"`, which in this demo holds no escapes.
private struct DemoText {
    private static let mark = Array(#""content":""#.utf8)
    private var pending: [UInt8] = []

    mutating func read(_ bytes: ArraySlice<UInt8>) -> [String] {
        pending += bytes
        var found: [String] = []
        while let start = pending.indices.first(where: { pending[$0...].starts(with: Self.mark) }),
            let end = pending[(start + Self.mark.count)...].firstIndex(of: UInt8(ascii: "\""))
        {
            found.append(pending.text(start + Self.mark.count..<end))
            pending.removeFirst(end)
        }
        return found
    }
}

/// Why the demo cannot go on.
struct DemoFault: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
