// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
internal import HTTP
internal import Linux
internal import MenshenCore
internal import Reactor

/// The provider of `menshen demo`: speaks OpenAI's chat completions on a private Unix socket, takes one key only, and
/// remembers what reached it. Lives on the demo's reactor.
final class DemoProvider: ReadinessHandler {
    static let model = "demo-model"

    let key: String
    /// Requests in the order in which they came.
    private(set) var sightings: [DemoSighting] = []
    /// Told about each request after it is remembered.
    var onRequest: ((DemoSighting) -> Void)?

    private let reactor: Reactor
    private let listener: UnixListener
    private var connections: [Int32: DemoProviderConnection] = [:]

    init(_ path: String, key: String, on reactor: Reactor) throws {
        self.key = key
        self.reactor = reactor
        listener = try UnixListener.bind(path)
        try reactor.register(listener.descriptor, .readable, self)
    }

    deinit {
        for connection in connections.values { connection.close() }
        listener.remove()
        close(listener.descriptor)
    }

    func ready(_ descriptor: Int32, _ readiness: Readiness) {
        guard let accepted = try? SocketIO.accept(descriptor) else { return }
        let connection = DemoProviderConnection(accepted, self, reactor)
        do {
            try reactor.register(accepted, .readable, connection)
            connections[accepted] = connection
        } catch {
            SocketIO.close(accepted)
        }
    }

    func forget(_ connection: DemoProviderConnection) { connections[connection.fd] = nil }

    /// Remembers a request and says how to answer it.
    func judge(_ head: RequestHead, _ body: [UInt8]) -> DemoAnswer {
        var scan = RequestScan()
        scan.feed(body.span)
        let facts = scan.facts
        let sighting = DemoSighting(head, body, isStream: facts.isStream ?? false)
        sightings.append(sighting)
        onRequest?(sighting)
        guard sighting.authorization == "Bearer " + key else { return .refusal }
        switch (head.method, head.text(head.path)) {
        case (.get, "/v1/models"): return .models
        case (.post, "/v1/chat/completions"): return facts.isStream == true ? .stream : .whole
        default: return .unknownPath
        }
    }
}

/// One request as the provider saw it.
struct DemoSighting: Sendable {
    let line: String
    /// Names in small letters, in the order in which they came.
    let fields: [(name: String, value: String)]
    let isStream: Bool
    private let bytes: [UInt8]

    init(_ head: RequestHead, _ body: [UInt8], isStream: Bool) {
        line = "\(head.method.rawValue) \(head.text(head.target))"
        fields = head.fields.map { (head.text($0.name).lowercased(), head.text($0.value)) }
        bytes = head.bytes + body
        self.isStream = isStream
    }

    var authorization: String? { fields.first { $0.name == "authorization" }?.value }
    func has(field name: String) -> Bool { fields.contains { $0.name == name } }
    /// Anywhere in head or body.
    func holds(_ text: String) -> Bool { bytes.holds(text) }
}

extension [UInt8] {
    func holds(_ text: String) -> Bool {
        let wanted = Array(text.utf8)
        guard let first = wanted.first, count >= wanted.count else { return false }
        return (0...count - wanted.count).contains { start in
            self[start] == first && self[start..<start + wanted.count].elementsEqual(wanted)
        }
    }
}
