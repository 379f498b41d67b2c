// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport

/// One frame, by hand.
struct Frame: Equatable {
    static let text: UInt8 = 1
    static let binary: UInt8 = 2
    static let close: UInt8 = 8

    var opcode: UInt8
    var payload: [UInt8]

    static func text(_ text: String) -> Frame { Frame(opcode: Self.text, payload: Array(text.utf8)) }
    /// Status 1000.
    static let goodbye = Frame(opcode: close, payload: [3, 232])
    /// Status 1001.
    static let goingAway = Frame(opcode: close, payload: [3, 233])

    /// The bytes; a caller's are masked.
    func bytes(masked: Bool) -> [UInt8] {
        var bytes: [UInt8] = [0x80 | opcode]
        let bit: UInt8 = masked ? 0x80 : 0
        switch payload.count {
        case ..<126: bytes.append(bit | UInt8(payload.count))
        case ..<65536: bytes += [bit | 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
        default: bytes += [bit | 127] + (0..<8).map { UInt8(payload.count >> (56 - 8 * $0) & 255) }
        }
        if !masked { return bytes + payload }
        let mask: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]
        return bytes + mask + payload.enumerated().map { $0.element ^ mask[$0.offset & 3] }
    }
}

extension Wire {
    func write(_ frame: Frame, masked: Bool) throws { try write(frame.bytes(masked: masked)) }

    /// The next frame; whether it was masked must be as it should.
    func readFrame(masked: Bool) throws -> Frame {
        let start = try read(exactly: 2)
        guard (start[1] & 0x80 != 0) == masked else { throw TestFailure("a frame is masked, or is not") }
        var length = Int(start[1] & 0x7F)
        if length > 125 {
            length = try read(exactly: length == 126 ? 2 : 8).reduce(0) { $0 << 8 | Int($1) }
        }
        let mask = masked ? try read(exactly: 4) : [0, 0, 0, 0]
        let payload = try read(exactly: length).enumerated().map { $0.element ^ mask[$0.offset & 3] }
        return Frame(opcode: start[0] & 0x0F, payload: payload)
    }
}

extension RawClient {
    static let upgrade = [
        "Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]

    func askForWebSocket(_ target: String = "/v1/realtime?model=gpt-realtime", _ fields: [String] = []) throws {
        try request("GET", target, Self.upgrade + fields)
    }

    /// The head of a 101.
    func webSocketHead() throws -> MessageHead {
        guard let bytes = try wire.read(through: "\r\n\r\n") else { throw TestFailure("closed instead of an answer") }
        let head = try MessageHead(bytes)
        guard head.startLine == "HTTP/1.1 101 Switching Protocols" else { throw TestFailure(head.text) }
        return head
    }
}

extension UpstreamCall {
    static let accept = """
        HTTP/1.1 101 Switching Protocols\r
        Upgrade: WebSocket\r
        Connection: Upgrade\r
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r
        X-Of-The-Provider: 1\r\n
        """

    /// Fields are whole lines.
    func acceptWebSocket(_ fields: String = "", with rest: [UInt8] = []) throws {
        try send(Array((Self.accept + fields + "\r\n").utf8) + rest)
    }
}
