// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
package import MenshenCore
internal import Systemd

/// Asks a running menshen, over its Unix socket. Blocking; for commands.
package enum AdminClient {
    /// Longer than a page ever takes, also behind a busy loop. Seconds.
    package static let patience = 10

    /// Where tokens are given out and taken away.
    package static var tokens: String { AdminPage.tokens.paths[0] }
    /// Where the stored answers are thrown away.
    package static var cache: String { AdminPage.cache.paths[0] }
    /// What goes on right now, and the limits that concern whoever asks.
    package static var live: String { AdminPage.live.paths[0] }
    /// Events that tell of changes, as long as somebody hears them.
    package static var changes: String { AdminPage.changes.paths[0] }
    package static var usage: String { AdminPage.usage.paths[0] }

    package struct Fault: Error, CustomStringConvertible {
        package let description: String

        package init(description: String) { self.description = description }
    }

    /// menshen has answered that it will not.
    package struct Refusal: Error {
        package let status: Int
        package let message: String
    }

    package struct Answer: Sendable {
        package let status: Int
        /// Names in small letters.
        package let fields: [(name: String, value: String)]
        package let body: [UInt8]

        package subscript(name: String) -> String? { fields.first { $0.name == name }?.value }
    }

    /// What the status tells to other commands.
    package struct Instance: Sendable {
        package let pid: Int32
        package let providers: Set<String>
    }

    /// The status as `type`, a media type that it is made in.
    package static func status(socket path: String, as type: String) throws -> [UInt8] {
        let answer = try get(AdminPage.status.paths[0], ["Accept: \(type)"], socket: path, patience: patience)
        guard answer.status == 200 else {
            throw Fault(description: "menshen at \(path) answered: \(String(decoding: answer.body, as: UTF8.self))")
        }
        return answer.body
    }

    package static func instance(socket path: String) throws -> Instance {
        var scanner = JSONScanner(JSONPaths(["pid", "providers[].name"]))
        let page = try status(socket: path, as: "application/json")
        scanner.feed(page.span)
        let pid = scanner.found.first { $0.path == 0 }?.count ?? 0
        return Instance(
            pid: Int32(clamping: pid), providers: Set(scanner.found.filter { $0.path == 1 }.compactMap(\.string)))
    }

    /// Has what was done to a key recorded: by the menshen that runs there, else, without one that knows the provider, in the
    /// journal of this machine.
    package static func record(_ act: KeyAct, socket path: String?, journal: String? = nil) {
        let isTaken = path.flatMap {
            try? ask(socket: $0, "POST", AdminPage.keys.paths[0], as: "application/json", body: act.body)
        }
        if isTaken != nil { return }
        let who = Administrator(uid: PeerIdentity.ownUID, pid: ProcessIdentity.pid)
        EventLog.tell(AccessEvent.acted(act.act(by: who)).event, journal: journal ?? JournalSocket.standardPath)
    }

    /// The answer to a GET: menshen's own, or a provider's. HTTP/1.0, so that its body ends with the connection. `patience`: seconds
    /// of silence.
    package static func get(
        _ target: String, _ fields: [String], socket path: String, patience: Int
    ) throws -> Answer {
        try AdminConnection(socket: path, patience: patience).send("GET", target, fields)
    }

    /// What a page of menshen's own answers, as `type`. Throws `Refusal` for an answer that is no success.
    package static func ask(
        socket path: String, _ method: String, _ target: String, as type: String, body: [UInt8] = []
    ) throws -> [UInt8] {
        let length = body.isEmpty ? [] : ["Content-Type: application/json", "Content-Length: \(body.count)"]
        let connection = try AdminConnection(socket: path)
        return try checked(connection.send(method, target, ["Accept: \(type)"] + length, body: body)).body
    }

    /// Throws `Refusal` for an answer that is no success.
    static func checked(_ answer: Answer) throws -> Answer {
        guard 200..<300 ~= answer.status else {
            let sentence = texts(answer.body, JSONPaths(["error.message"]), limit: 4096)[0]
            throw Refusal(status: answer.status, message: sentence ?? String(decoding: answer.body, as: UTF8.self))
        }
        return answer
    }

    /// Throws all stored answers away; how many there were.
    package static func clearCache(socket path: String) throws -> Int64 {
        var body = AdminBody()
        body.add("act", "clear")
        let answer = try ask(socket: path, "POST", cache, as: "application/json", body: body.bytes)
        var scanner = JSONScanner(JSONPaths(["cleared"]))
        scanner.feed(answer.span)
        return scanner.found.first?.count ?? 0
    }

    /// The texts at some paths of an answer; nil for one that is not there.
    package static func texts(_ body: [UInt8], _ paths: JSONPaths, count: Int = 1, limit: Int) -> [String?] {
        var scanner = JSONScanner(paths, textLimit: limit)
        scanner.feed(body.span)
        var texts = [String?](repeating: nil, count: count)
        for finding in scanner.found where finding.path < count { texts[finding.path] = finding.string }
        return texts
    }

    /// A name within a query.
    package static func escaped(_ text: String) -> String {
        let hex = Array("0123456789ABCDEF")
        return text.utf8.reduce(into: "") { output, byte in
            switch byte {
            case 48...57, 65...90, 97...122, UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                output.unicodeScalars.append(Unicode.Scalar(byte))
            default: output += "%\(hex[Int(byte >> 4)])\(hex[Int(byte & 15)])"
            }
        }
    }
}
