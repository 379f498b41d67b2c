// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
internal import Linux

/// Asks a running menshen for one of its own pages, over its Unix socket. Blocking; for commands.
package enum AdminClient {
    /// Longer than a page ever takes, also behind a busy loop.
    private static let patience = 10

    package struct Fault: Error, CustomStringConvertible {
        package let description: String
    }

    /// The status page as `type`, a media type that it is made in.
    package static func status(socket path: String, as type: String) throws -> [UInt8] {
        let fd = try UnixAddress(path).connect()
        defer { close(fd) }
        var limit = timeval(tv_sec: Self.patience, tv_usec: 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        let request = Array(
            "GET /_menshen/status HTTP/1.1\r\nHost: localhost\r\nAccept: \(type)\r\nConnection: close\r\n\r\n".utf8)
        guard case .bytes(request.count) = request.withUnsafeBytes({ SocketIO.write(fd, $0) }) else {
            throw Fault(description: "menshen at \(path) closed the connection before it was asked.")
        }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        reading: while true {
            switch buffer.withUnsafeMutableBytes({ SocketIO.read(fd, into: $0) }) {
            case .bytes(0): break reading
            case .bytes(let count): answer += buffer[..<count]
            case .wouldBlock: throw Fault(description: "menshen at \(path) did not answer within \(patience) s.")
            case .failed(let code): throw SystemError("recv", code: code, subject: path)
            }
        }
        let blank = Array("\r\n\r\n".utf8)
        guard let end = answer.indices.first(where: { answer[$0...].starts(with: blank) }) else {
            throw Fault(
                description: "menshen at \(path) closed the connection without an answer, as another user's does.")
        }
        let body = Array(answer[(end + blank.count)...])
        guard answer.starts(with: "HTTP/1.1 200".utf8) else {
            throw Fault(description: "menshen at \(path) answered: \(String(decoding: body, as: UTF8.self))")
        }
        return body
    }
}
