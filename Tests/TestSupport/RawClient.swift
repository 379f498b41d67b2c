// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A caller that speaks HTTP by hand and reads answers strictly. Belongs to one thread.
package final class RawClient {
    package let wire: Wire

    package init(_ wire: Wire) { self.wire = wire }

    package convenience init(unix path: String) throws { self.init(try Wire.unix(path)) }

    package convenience init(tcp port: UInt16, address: String = "127.0.0.1") throws {
        self.init(try Wire.tcp(port, address: address))
    }

    package func send(_ text: String) throws { try wire.write(text) }
    package func send(_ bytes: [UInt8]) throws { try wire.write(bytes) }

    /// A request with a Host header and, if there is a body, its length.
    package func request(_ method: String, _ target: String, _ fields: [String] = [], body: String? = nil) throws {
        var text = "\(method) \(target) HTTP/1.1\r\nHost: localhost\r\n"
        for field in fields { text += field + "\r\n" }
        if let body { text += "Content-Length: \(body.utf8.count)\r\n" }
        try send(text + "\r\n" + (body ?? ""))
    }

    /// A whole answer with its body.
    package func answer(to method: String = "GET") throws -> Answer {
        var answer = try head(to: method)
        switch answer.framing {
        case .none: break
        case .length: answer.body = try wire.read(exactly: Int(answer["Content-Length"] ?? "") ?? 0)
        case .close: answer.body = try wire.readToEnd()
        case .chunked:
            while let chunk = try chunk() { answer.body += chunk }
            answer.trailers = try trailers()
        }
        return answer
    }

    /// The next final head; its body is still to be read.
    package func head(to method: String = "GET") throws -> Answer {
        var interim: [MessageHead] = []
        while true {
            guard let bytes = try wire.read(through: "\r\n\r\n") else {
                throw TestFailure("closed instead of an answer")
            }
            let head = try MessageHead(bytes)
            var answer = try Answer(head)
            if (100...199).contains(answer.status) {
                interim.append(head)
                continue
            }
            answer.interim = interim
            answer.framing = try Self.framing(answer, method)
            return answer
        }
    }

    private static func framing(_ answer: Answer, _ method: String) throws -> Answer.Framing {
        let lengths = answer.head.all("Content-Length")
        let codings = answer.head.all("Transfer-Encoding")
        if lengths.count + codings.count > 1 { throw TestFailure("framed twice: \(answer.head.text)") }
        if method == "HEAD" || answer.status == 204 || answer.status == 304 { return .none }
        if let coding = codings.first {
            guard coding == "chunked" else { throw TestFailure("coded as \(coding)") }
            return .chunked
        }
        if let length = lengths.first {
            guard Int(length) != nil else { throw TestFailure("a length of \(length)") }
            return .length
        }
        return .close
    }

    /// The next chunk; nil for the last one, after which trailers follow.
    package func chunk() throws -> [UInt8]? {
        guard let line = try wire.read(through: "\r\n"),
            let size = Int(String(decoding: line.dropLast(2), as: UTF8.self), radix: 16)
        else { throw TestFailure("no chunk size") }
        if size == 0 { return nil }
        let data = try wire.read(exactly: size)
        guard try wire.read(exactly: 2) == [13, 10] else { throw TestFailure("a chunk without an end") }
        return data
    }

    package func trailers() throws -> [(name: String, value: String)] {
        var text = "trailers\r\n"
        while true {
            guard let line = try wire.read(through: "\r\n") else { throw TestFailure("closed in trailers") }
            text += String(decoding: line, as: UTF8.self)
            if line == [13, 10] { return try MessageHead(Array(text.utf8)).fields }
        }
    }

    /// True when the connection ends without another byte; false when it ends with a reset.
    package func isClosedCleanly() throws -> Bool {
        do {
            let rest = try wire.readToEnd()
            guard rest.isEmpty else {
                throw TestFailure("more came: \(String(decoding: rest, as: UTF8.self).debugDescription)")
            }
            return true
        } catch Wire.Fault.reset {
            return false
        }
    }
}
