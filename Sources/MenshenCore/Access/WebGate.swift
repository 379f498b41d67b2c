// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import HTTP

/// Keeps web pages from spending the key over TCP: a browser can be made to connect to a loopback port, but it cannot
/// forge Host and Origin, and it cannot send JSON across sites without asking first.
package struct WebGate: Sendable {
    private let hosts: Set<String>
    /// Origins of pages that this server itself serves.
    private let ownOrigins: Set<String>
    private let origins: Set<String>

    /// `port` and `addresses` are those of the listener; `allowedHosts` and `allowedOrigins` come from the configuration.
    package init(port: UInt16, addresses: [String], allowedHosts: [String], allowedOrigins: [String]) {
        var hosts: Set<String> = []
        var ownOrigins: Set<String> = []
        let own = ["localhost", "127.0.0.1", "[::1]"] + addresses.map { $0.contains(":") ? "[\($0)]" : $0 }
        let allowed = allowedHosts.map { $0.lowercased() }
        for name in own + allowed {
            // Simple clients leave the port out; a browser never does, unless it is 80.
            hosts.formUnion([name, "\(name):\(port)"])
            ownOrigins.insert("http://\(name):\(port)")
        }
        // An origin without a port is port 80: on this machine another server's, unless it is ours.
        for name in port == 80 ? own + allowed : allowed { ownOrigins.insert("http://\(name)") }
        self.hosts = hosts
        self.ownOrigins = ownOrigins
        origins = Set(allowedOrigins.map { $0.lowercased() })
    }

    package func checkHost(_ head: RequestHead) -> Problem? {
        let host = head.host.map { head.text($0).lowercased() } ?? ""
        if hosts.contains(host) { return nil }
        return Problem(
            .forbiddenHost, status: 421,
            "The Host header does not name this server. Add the name to server.allowed_hosts if it should.")
    }

    package enum OriginVerdict: Equatable {
        case absent
        /// Our own page, or an allowed one, whose origin is to be named in the answer.
        case own
        case allowed(String)
        case foreign
    }

    /// Call after `checkHost`.
    package func judgeOrigin(_ head: RequestHead) -> OriginVerdict {
        guard let range = head.first(.origin) else { return .absent }
        let origin = head.text(range)
        let name = origin.lowercased()
        if origins.contains(name) { return .allowed(origin) }
        if ownOrigins.contains(name) { return .own }
        return .foreign
    }

    package static let foreignOrigin = Problem(
        .forbiddenOrigin, status: 403,
        "Requests from this Origin are not allowed. Add it to server.allowed_origins if the page is yours.")

    /// Of a caller that has shown no token: a page can send neither JSON across sites without asking first, nor hide from the
    /// provider that it is a page. A browser says in Sec-Fetch-Site where a request comes from, and no page can change that.
    package func checkPage(_ head: RequestHead) -> Problem? {
        if let site = head.first(.secFetchSite), case .absent = judgeOrigin(head) {
            let isOwn = ["same-origin", "none"].contains(head.text(site).lowercased())
            if !isOwn { return Self.foreignOrigin }
        }
        return Self.checkContentType(head)
    }

    /// Of a caller with a token: without Origin it is no page.
    package static func checkContentType(ofKnown head: RequestHead) -> Problem? {
        head.first(.origin) == nil ? nil : checkContentType(head)
    }

    private static func checkContentType(_ head: RequestHead) -> Problem? {
        switch head.method {
        case .post, .put, .patch: break
        default: return nil
        }
        guard let range = head.first(.contentType) else {
            if head.framing == .none { return nil }
            return wrongContentType
        }
        let end = head.bytes[range].firstIndex { $0 == UInt8(ascii: ";") || $0 == 0x20 } ?? range.upperBound
        let type = range.lowerBound..<end
        if head.bytes.span.equals(json, in: type) || head.bytes.span.equals(form, in: type) { return nil }
        if type.count > 5, head.bytes.span.equals(jsonSuffix, in: end - 5..<end) { return nil }
        return wrongContentType
    }

    private static let json = Array("application/json".utf8)
    private static let form = Array("multipart/form-data".utf8)
    private static let jsonSuffix = Array("+json".utf8)

    private static let wrongContentType = Problem(
        .forbiddenContentType, status: 415,
        "Over TCP, a web page's request, or one without a token, needs Content-Type application/json or multipart/form-data."
    )
}
