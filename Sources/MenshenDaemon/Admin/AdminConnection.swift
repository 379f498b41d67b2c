// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore

/// A connection to the Unix socket of a running menshen. Blocking; belongs to one thread.
package final class AdminConnection {
    /// No page, and no provider's list of models, is longer.
    private static let limit = 16 << 20

    private let path: String
    private let descriptor: OwnedDescriptor
    /// Seconds.
    private let patience: Int
    /// Another request may follow.
    package private(set) var isOpen = true

    package init(socket path: String, patience: Int = AdminClient.patience) throws {
        self.path = path
        self.patience = patience
        descriptor = OwnedDescriptor(try UnixAddress(path).connect())
        SocketIO.setPatience(descriptor.raw, seconds: patience)
    }

    /// A page as JSON; the connection stays open for the next. Throws `Refusal` for an answer that is no success.
    package func ask(_ target: String) throws -> [UInt8] {
        try AdminClient.checked(send("GET", target, ["Accept: application/json"], keepsOpen: true)).body
    }

    // MARK: Answers that come in pieces

    /// The head of one, with what has come of it. Its end is the connection's.
    package func begin(_ target: String, _ fields: [String]) throws -> AdminClient.Answer {
        try write("GET", target, fields, [], isKept: false)
        var bytes: [UInt8] = []
        while bytes.count <= Self.limit {
            let more = try read()
            bytes += more
            if let answer = AdminClient.Answer(bytes) { return answer }
            if more.isEmpty { break }
        }
        return try whole(bytes)
    }

    /// The next piece; nil once it is over, or there is something to be read from `other`: it has left.
    package func next(beside other: Int32) -> [UInt8]? {
        let (own, others) = SocketIO.awaitInput(descriptor.raw, other)
        guard own, !others, let bytes = try? read(), !bytes.isEmpty else { return nil }
        return bytes
    }

    // MARK: Whole ones

    /// `keepsOpen`: the answer has a length, as all of menshen's own have. Otherwise it is HTTP/1.0, and its body ends with the
    /// connection.
    func send(
        _ method: String, _ target: String, _ fields: [String], body: [UInt8] = [], keepsOpen: Bool = false
    ) throws -> AdminClient.Answer {
        isOpen = false
        try write(method, target, fields, body, isKept: keepsOpen)
        var answer: [UInt8] = []
        while answer.count <= Self.limit {
            let more = try read()
            if more.isEmpty { break }
            answer += more
            if keepsOpen, let got = AdminClient.Answer(answer), got.isWhole {
                isOpen = got["connection"] != "close"
                return got
            }
        }
        return try whole(answer)
    }

    private func write(
        _ method: String, _ target: String, _ fields: [String], _ body: [UInt8], isKept: Bool
    ) throws {
        let lines = ["\(method) \(target) HTTP/\(isKept ? "1.1" : "1.0")", "Host: localhost"] + fields
        let request = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body
        guard case .bytes(request.count) = request.withUnsafeBytes({ SocketIO.write(descriptor.raw, $0) }) else {
            throw AdminClient.Fault(
                description: "menshen at \(path) closed the connection before it was asked.")
        }
    }

    /// What has come; empty at the end.
    private func read() throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        switch buffer.withUnsafeMutableBytes({ SocketIO.read(descriptor.raw, into: $0) }) {
        case .bytes(let count): return Array(buffer[..<count])
        case .wouldBlock:
            throw AdminClient.Fault(description: "menshen at \(path) did not answer within \(patience) s.")
        case .failed(let code): throw SystemError("recv", code: code, subject: path)
        }
    }

    private func whole(_ bytes: [UInt8]) throws -> AdminClient.Answer {
        if let answer = AdminClient.Answer(bytes) { return answer }
        throw AdminClient.Fault(
            description: "menshen at \(path) closed the connection without an answer, as another user's does.")
    }
}

extension AdminClient.Answer {
    private static let blank = Array("\r\n\r\n".utf8)

    /// All that its length says has come.
    fileprivate var isWhole: Bool { self["content-length"].flatMap { Int($0) }.map { body.count >= $0 } ?? false }

    /// nil if the head is not whole.
    fileprivate init?(_ bytes: [UInt8]) {
        guard let end = bytes.indices.first(where: { bytes[$0...].starts(with: Self.blank) }) else { return nil }
        let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
        let words = lines.first?.split(separator: " ") ?? []
        guard words.count > 1, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else { return nil }
        var fields: [(name: String, value: String)] = []
        for line in lines.dropFirst() {
            let name = line.prefix { $0 != ":" }
            let value = line.dropFirst(name.count + 1).drop { $0 == " " }
            fields.append((name.lowercased(), String(value)))
        }
        self.init(status: status, fields: fields, body: Array(bytes[(end + Self.blank.count)...]))
    }
}
