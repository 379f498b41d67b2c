// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import MenshenCore
import Reactor
import Testing

@testable import MenshenDaemon

/// What the parts of an exchange are given in their tests: no socket, no thread, no clock of their own.
enum ExchangeParts {
    static let second: UInt64 = 1_000_000

    static func requestHead(_ method: String = "POST", version: String = "1.1", _ fields: String...) throws
        -> RequestHead
    {
        let text =
            "\(method) /v1/chat/completions HTTP/\(version)\r\nHost: localhost\r\n"
            + fields.map { $0 + "\r\n" }.joined() + "\r\n"
        var parser = RequestParser()
        guard case .head(let head, _) = try parser.parse(Array(text.utf8).span, limit: 1 << 16) else {
            throw Incomplete()
        }
        return head
    }

    static func answerHead(_ lines: String...) throws -> ResponseHead {
        var head = ResponseHead()
        for line in lines + [""] { _ = try head.add(Array((line + "\r\n").utf8).span) }
        return head
    }

    static func runtime(_ names: [String], _ change: (inout Configuration) -> Void = { _ in }) throws -> Runtime {
        var configuration = Configuration()
        let base = try #require(BaseURL("http://127.0.0.1:9/v1"))
        configuration.providers = names.map {
            Provider(name: $0, kind: .openai, baseURL: base, key: .inline(Secret("key-of-\($0)")))
        }
        change(&configuration)
        return try Runtime(
            Snapshot(configuration), keys: KeyRing(credentialsDirectory: nil) { _, _, _ in }, tokens: TokenGate([]))
    }

    /// Of a request that nobody else has.
    static func ticket(_ number: Int64, _ mailbox: Mailbox<WorkerMessage>) -> Ticket {
        Ticket(id: RequestID(rawValue: number), mailbox: mailbox)
    }

    struct Incomplete: Error {}
}

extension [UInt8] {
    var text: String { String(decoding: self, as: UTF8.self) }
}
