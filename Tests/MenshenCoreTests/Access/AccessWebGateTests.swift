// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import MenshenCore
import Testing

@Suite struct AccessWebGateTests {
    private let gate = WebGate(
        port: 8080, addresses: ["192.168.1.5", "fd00::1"], allowedHosts: ["Box.lan", "proxy.lan:9000"],
        allowedOrigins: ["http://localhost:5173", "HTTPS://App.Example"])

    @Test(arguments: [
        "localhost:8080", "LOCALHOST:8080", "127.0.0.1:8080", "[::1]:8080", "192.168.1.5:8080", "[fd00::1]:8080",
        "box.lan", "BOX.LAN:8080",
        "proxy.lan:9000", "localhost", "127.0.0.1",
    ])
    func `a Host of ours passes`(_ host: String) throws {
        #expect(try gate.checkHost(wireHead(host: host)) == nil)
    }

    @Test(arguments: [
        "evil.example", "evil.example:8080", "localhost:80", "localhost:8081", "localhost.evil.example:8080",
        "localhost.:8080",
        "127.0.0.1.evil.example", "127.0.0.2:8080", "0.0.0.0:8080", "",
        "[::]:8080", "box.lan:9000", "2130706433:8080",
    ])
    func `any other Host is refused`(_ host: String) throws {
        let problem = try #require(try gate.checkHost(wireHead(host: host)))
        #expect(problem.code == .forbiddenHost && problem.status == 421)
    }

    @Test(arguments: [
        "localhost:8080, evil.example", "user@localhost:8080", "::1:8080", "localhost:8080/", "localhost:80:80",
    ])
    func `what is no Host at all does not come as far`(_ host: String) {
        #expect(throws: HTTPError.badHost) { try wireHead(host: host) }
    }

    @Test func `a request without Host is refused`() {
        #expect(gate.checkHost(RequestHead())?.code == .forbiddenHost)
    }

    @Test func `the host of an absolute target is the one that counts`() throws {
        for (target, host, passes) in [
            ("http://evil.example/", "localhost:8080", false), ("http://localhost:8080/", "evil.example", true),
        ] {
            var parser = RequestParser()
            let bytes = Array("GET \(target) HTTP/1.1\r\nHost: \(host)\r\n\r\n".utf8)
            guard case .head(let head, _) = try parser.parse(bytes.span, limit: 1000) else { throw WireIncomplete() }
            #expect((gate.checkHost(head) == nil) == passes)
        }
    }

    @Test(arguments: [
        ("http://localhost:8080", WebGate.OriginVerdict.own), ("http://127.0.0.1:8080", .own),
        ("HTTP://LOCALHOST:8080", .own),
        ("http://[fd00::1]:8080", .own), ("http://box.lan:8080", .own), ("http://box.lan", .own),
        ("http://proxy.lan:9000", .own),
        ("http://localhost:5173", .allowed("http://localhost:5173")),
        ("https://app.example", .allowed("https://app.example")),
        // Another server of this machine, on port 80 or elsewhere.
        ("http://localhost", .foreign), ("http://127.0.0.1", .foreign), ("http://192.168.1.5", .foreign),
        ("http://localhost:3000", .foreign),
        ("https://localhost:8080", .foreign), ("null", .foreign), ("", .foreign), ("http://evil.example", .foreign),
        ("http://localhost:8080.evil.example", .foreign), ("http://localhost:51730", .foreign),
        ("localhost:8080", .foreign),
        ("http://localhost:8080/", .foreign), ("file://", .foreign), ("chrome-extension://abc", .foreign),
        ("http://evil.example, http://localhost:8080", .foreign), ("https://app.example:8443", .foreign),
    ])
    func `an Origin is ours, allowed or foreign`(_ origin: String, _ verdict: WebGate.OriginVerdict) throws {
        #expect(gate.judgeOrigin(try wireHead("Origin: \(origin)")) == verdict)
    }

    @Test func `on port 80 an origin without a port is ours`() throws {
        let gate = WebGate(port: 80, addresses: [], allowedHosts: [], allowedOrigins: [])
        #expect(gate.judgeOrigin(try wireHead("Origin: http://localhost")) == .own)
        #expect(try gate.checkHost(wireHead(host: "localhost")) == nil)
    }

    @Test func `no Origin is no page`() throws {
        #expect(gate.judgeOrigin(try wireHead()) == .absent)
    }

    @Test(arguments: [
        "application/json", "Application/JSON", "application/json; charset=utf-8", "application/json ;x",
        "multipart/form-data; boundary=x",
        "application/vnd.api+json", "application/ld+json; a=b",
    ])
    func `a body that no form of a foreign page can send passes`(_ type: String) throws {
        for method in ["POST", "PUT", "PATCH"] {
            #expect(
                gate.checkPage(try wireHead("Content-Type: \(type)", "Content-Length: 2", method: method))
                    == nil)
        }
    }

    @Test(arguments: [
        "text/plain", "text/plain; application/json", "application/x-www-form-urlencoded", "", "application/jsonp",
        "json", "application/json,text/plain",
        "text/plain;+json", "multipart/form-datax", "*/*",
    ])
    func `any other body is refused`(_ type: String) throws {
        for method in ["POST", "PUT", "PATCH"] {
            let problem = gate.checkPage(
                try wireHead("Content-Type: \(type)", "Content-Length: 2", method: method))
            #expect(problem?.code == .forbiddenContentType && problem?.status == 415)
        }
    }

    @Test func `a body needs a type, and no body needs none`() throws {
        #expect(gate.checkPage(try wireHead("Content-Length: 2")) != nil)
        #expect(gate.checkPage(try wireHead("Transfer-Encoding: chunked")) != nil)
        #expect(gate.checkPage(try wireHead()) == nil)
        #expect(gate.checkPage(try wireHead("Content-Length: 0")) == nil)
        #expect(gate.checkPage(try wireHead("Content-Type: text/plain", method: "GET")) == nil)
    }

    @Test func `a caller with a token and without Origin may send what it likes`() throws {
        #expect(WebGate.checkContentType(ofKnown: try wireHead("Content-Length: 2")) == nil)
        #expect(
            WebGate.checkContentType(ofKnown: try wireHead("Content-Length: 2", "Origin: http://localhost:1")) != nil)
    }

    @Test func `a browser's word on where a request comes from is heard, for every method`() throws {
        for method in ["GET", "POST", "HEAD"] {
            for (site, isTaken) in [
                ("cross-site", false), ("same-site", false), ("same-origin", true), ("none", true), ("None", true),
                ("", false),
            ] {
                #expect(
                    (gate.checkPage(try wireHead("Sec-Fetch-Site: \(site)", method: method)) == nil) == isTaken,
                    "\(method) \(site)")
            }
        }
    }
}
