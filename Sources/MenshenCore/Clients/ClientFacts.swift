// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import HTTP

/// What the head of a request says of the program that has sent it. Attribution: anybody may say so.
package struct ClientFacts: Sendable, Equatable {
    /// A client of the list, else the product that its User-Agent names first.
    package private(set) var client: String?
    /// The conversation, and the agent within it where that is not the only one.
    package private(set) var session: String?
    package private(set) var agent: String?

    package init(client: String? = nil, session: String? = nil, agent: String? = nil) {
        self.client = client
        self.session = session
        self.agent = agent
    }

    /// One look at each field. Without a field of a client's own that allocates nothing, but for a product with a long name.
    package init(_ head: RequestHead) {
        let bytes = head.bytes.span
        var userAgent: Range<Int>?
        var found: [(field: ClientField, value: Range<Int>)] = []
        for field in head.fields where !field.value.isEmpty {
            switch field.known {
            case .userAgent: userAgent = userAgent ?? field.value
            case nil: if let own = ClientField(field, of: bytes) { found.append((own, field.value)) }
            default: break
            }
        }
        func value(_ field: ClientField) -> Range<Int>? { found.first { $0.field == field }?.value }
        func text(_ field: ClientField) -> String? { value(field).flatMap { Self.text($0, of: head) } }

        var sender: Client?
        if !found.isEmpty {
            let originator = value(.originator)
            sender = Client.list.first { client in
                if let mark = client.mark, value(mark) != nil { return true }
                guard let name = client.originator, let originator else { return false }
                return head.bytes.span.equals(name, in: originator)
            }
        }
        if sender == nil, let userAgent { sender = Client.of(userAgent: userAgent, bytes) }
        client = sender?.name ?? userAgent.flatMap { Self.product($0, of: head) }
        guard let sender, !found.isEmpty else { return }
        session = sender.sessions.lazy.compactMap(text).first
        agent = sender.agent.flatMap(text)
        if agent == session { agent = nil }
    }

    /// No secret stays in what is recorded.
    package mutating func mask(_ keys: SecretSet) {
        client = keys.masked(client)
        session = keys.masked(session)
        agent = keys.masked(agent)
    }

    private static let limit = 128

    /// nil for what is too long for an id, and for a value with a credential in it that the caller shows.
    private static func text(_ value: Range<Int>, of head: RequestHead) -> String? {
        guard value.count <= limit, !CredentialNames.shown(in: head).contains(where: { holds(value, $0, head) })
        else { return nil }
        return head.text(value)
    }

    private static func holds(_ value: Range<Int>, _ shown: Range<Int>, _ head: RequestHead) -> Bool {
        guard shown.count <= value.count else { return false }
        for start in value.lowerBound...value.upperBound - shown.count
        where head.bytes[start..<start + shown.count] == head.bytes[shown] { return true }
        return false
    }

    /// "curl" of "curl/8.5.0".
    private static func product(_ value: Range<Int>, of head: RequestHead) -> String? {
        var end = value.lowerBound
        while end < value.upperBound, isToken(head.bytes[end]) { end += 1 }
        return end == value.lowerBound ? nil : text(value.lowerBound..<end, of: head)
    }

    /// What a product's name is made of, as most write it.
    private static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), 48...57,
            UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "+"):
            true
        default: false
        }
    }
}
