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

    /// `keepsOpen`: the answer has a length, as all of menshen's own have. Otherwise it is HTTP/1.0, and its body ends with the
    /// connection.
    func send(
        _ method: String, _ target: String, _ fields: [String], body: [UInt8] = [], keepsOpen: Bool = false
    ) throws -> AdminClient.Answer {
        isOpen = false
        let lines = ["\(method) \(target) HTTP/\(keepsOpen ? "1.1" : "1.0")", "Host: localhost"] + fields
        let request = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body
        guard case .bytes(request.count) = request.withUnsafeBytes({ SocketIO.write(descriptor.raw, $0) }) else {
            throw AdminClient.Fault(
                description: "menshen at \(path) closed the connection before it was asked.")
        }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while answer.count <= Self.limit {
            switch buffer.withUnsafeMutableBytes({ SocketIO.read(descriptor.raw, into: $0) }) {
            case .bytes(0): return try whole(answer)
            case .bytes(let count):
                answer += buffer[..<count]
                if keepsOpen, let got = AdminClient.Answer(answer), got.isWhole {
                    isOpen = got["connection"] != "close"
                    return got
                }
            case .wouldBlock:
                throw AdminClient.Fault(description: "menshen at \(path) did not answer within \(patience) s.")
            case .failed(let code): throw SystemError("recv", code: code, subject: path)
            }
        }
        return try whole(answer)
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
