// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import MenshenPages
import Testing

@testable import HTTP
@testable import MenshenDashboard

/// What a browser may ask of `menshen dashboard`, without a connection.
@Suite struct DoorTests {
    private static let port: UInt16 = 41_233
    private static let own = "http://127.0.0.1:41233"
    private static let start: UInt64 = 1_000_000_000_000

    /// A door and what a browser knows of it.
    private struct Scene {
        var door = Door(port: port, sign: Door.Sign(user: "<b>alice", host: "build-7"), now: start)
        var now = start
        var cookie: String?

        var link: String { String(door.link.dropFirst(own.count)) }

        /// `fields`: those that a browser sends of itself stand before them, unless they say otherwise.
        mutating func ask(
            _ method: String, _ target: String, _ fields: [String] = [], host: String = "127.0.0.1:41233",
            body: String = ""
        ) throws -> Door.Verdict {
            var lines = ["\(method) \(target) HTTP/1.1", "Host: \(host)"] + fields
            if let cookie { lines.append("Cookie: other=1; \(cookie)") }
            if method == "POST", !fields.contains(where: { $0.hasPrefix("Origin") || $0.hasPrefix("Sec-") }) {
                lines += ["Origin: \(own)", "Sec-Fetch-Site: same-origin"]
            }
            if method == "POST" { lines.append("Content-Type: application/x-www-form-urlencoded") }
            if !body.isEmpty { lines.append("Content-Length: \(body.utf8.count)") }
            let input = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
            var parser = RequestParser()
            guard case .head(let head, _) = try parser.parse(input.span, limit: 1 << 16) else {
                throw Problem(.malformedRequest, status: 400, "cut off")
            }
            return door.judge(head, Array(body.utf8), now: now)
        }

        mutating func status(
            _ method: String, _ target: String, _ fields: [String] = [], host: String = "127.0.0.1:41233",
            body: String = ""
        ) throws -> Int {
            switch try ask(method, target, fields, host: host, body: body) {
            case .answer(let answer): answer.status
            case .page: 1
            case .form: 2
            case .changes: 3
            case .clearCache: 4
            }
        }

        mutating func open() throws {
            guard case .answer(let answer) = try ask("POST", link) else { return }
            cookie = answer.fields.first { $0.name == "Set-Cookie" }?.value.split(separator: ";").first.map(String.init)
        }
    }

    @Test func `a look at the link uses nothing up, the button does, and then it is gone`() throws {
        var scene = Scene()
        #expect(try scene.status("GET", scene.link) == 200)
        #expect(try scene.status("HEAD", scene.link) == 200)
        guard case .answer(let page) = try scene.ask("GET", scene.link) else { return #expect(Bool(false)) }
        let text = String(decoding: page.body, as: UTF8.self)
        #expect(text.contains("&lt;b&gt;alice") && text.contains("action=\"\(scene.link)\""))
        guard case .answer(let opened) = try scene.ask("POST", scene.link) else { return #expect(Bool(false)) }
        #expect(opened.status == 303 && opened.fields.contains { $0 == ("Location", "/_menshen/ui/") })
        let cookie = try #require(opened.fields.first { $0.name == "Set-Cookie" }?.value)
        #expect(cookie.hasPrefix("menshen-41233=") && cookie.hasSuffix("; Path=/; HttpOnly; SameSite=Strict"))
        for method in ["GET", "POST"] { #expect(try scene.status(method, scene.link) == 410) }
    }

    @Test func `the link is good for two minutes, and another is none`() throws {
        var scene = Scene()
        #expect(try scene.status("POST", String(scene.link.dropLast()) + "_") == 410)
        #expect(try scene.status("POST", "/open/") == 410)
        scene.now = Self.start + Door.linkLifetime - 1
        #expect(try scene.status("GET", scene.link) == 200 && !scene.door.isForgotten(now: scene.now))
        scene.now += 1
        for method in ["GET", "POST"] { #expect(try scene.status(method, scene.link) == 410) }
        #expect(scene.door.isForgotten(now: scene.now))
        #expect(scene.door.link != Scene().door.link)
    }

    @Test func `without the session's cookie nothing is shown`() throws {
        var scene = Scene()
        let targets = ["/", "/_menshen/ui/", "/_menshen/ui/usage.csv", "/v1/models", "/_menshen/status"]
        // Before there is a session not even its cookie counts, and then only the right one does.
        for _ in 0..<2 {
            for target in targets { #expect(try scene.status("GET", target) == 401, "\(target)") }
            #expect(try scene.status("POST", "/_menshen/ui/new-token") == 401)
            try scene.open()
            scene.cookie = "menshen-41233=wrong; menshen-1=\(scene.cookie?.dropFirst(14) ?? "")"
        }
        // What the page before that needs to look like one is the same for everybody.
        let style = try #require(
            try text(of: scene.ask("GET", "/")).split(separator: "\"").first { $0.hasSuffix(".css") })
        #expect(try scene.status("GET", String(style)) == 200)
    }

    @Test func `with it there are the dashboard's pages, and nothing that a key could be spent by`() throws {
        var scene = Scene()
        try scene.open()
        guard case .page(let target) = try scene.ask("GET", "/_menshen/ui/usage?by=model&q=%20") else {
            return #expect(Bool(false))
        }
        #expect(target == "/_menshen/ui/usage?by=model&q=%20")
        #expect(try scene.status("GET", "/_menshen/ui") == 1 && scene.status("GET", "/") == 303)
        for target in [
            "/v1/models", "/_menshen/status", "/_menshen/admin/tokens", "/_menshen/uix", "/openai/v1/models",
            "/_menshen/ui/../status", "/_menshen/ui/%2e%2e/admin/tokens", "/_menshen/ui/..%2f..%2fv1/models",
            "//_menshen/ui/x/../../v1/models", "/_menshen/ui\\..\\status",
        ] {
            #expect(try scene.status("GET", target) == 404, "\(target)")
            #expect(try scene.status("POST", target, body: "form=\(scene.door.formToken.text)") == 404, "\(target)")
        }
        for method in ["PUT", "DELETE", "OPTIONS", "PATCH"] {
            #expect(try scene.status(method, "/_menshen/ui/") == 405)
        }
    }

    @Test func `a name that means another machine leads nowhere`() throws {
        var scene = Scene()
        try scene.open()
        for host in [
            "evil.example", "evil.example:41233", "127.0.0.1", "127.0.0.1:41234", "127.0.0.1.:41233", "[::1]:41233",
        ] {
            for target in ["/_menshen/ui/", scene.link, "/"] {
                #expect(try scene.status("GET", target, host: host) == 421, "\(host)")
            }
        }
        #expect(try scene.status("GET", "/_menshen/ui/", host: "LOCALHOST:41233") == 1)
        #expect(try scene.status("GET", "http://evil.example\(scene.link)", host: "127.0.0.1:41233") == 421)
    }

    @Test(arguments: [
        (["Origin: http://evil.example", "Sec-Fetch-Site: cross-site"], false),
        (["Origin: http://127.0.0.1:8080", "Sec-Fetch-Site: same-site"], false),
        (["Origin: http://localhost:41233", "Sec-Fetch-Site: same-site"], false),
        (["Origin: http://127.0.0.1:41233", "Sec-Fetch-Site: cross-site"], false),
        (["Origin: null", "Sec-Fetch-Site: none"], false), (["Origin: null"], false), (["Sec-Other: 1"], false),
        (["Origin: http://127.0.0.1:41233"], true), (["Origin: null", "Sec-Fetch-Site: same-origin"], true),
        (["Sec-Fetch-Site: same-origin"], true),
    ])
    func `a form counts from a page of the session alone`(fields: [String], isTaken: Bool) throws {
        var scene = Scene()
        #expect(try scene.status("POST", scene.link, fields) == (isTaken ? 303 : 403))
        scene = Scene()
        try scene.open()
        let body = "form=\(scene.door.formToken.text)&name=ci"
        #expect(try scene.status("POST", "/_menshen/ui/new-token", fields, body: body) == (isTaken ? 2 : 403))
    }

    @Test func `a form needs the session's token, and is read as a request about a token`() throws {
        var scene = Scene()
        try scene.open()
        let path = "/_menshen/ui/new-token"
        for body in ["name=ci", "form=&name=ci", "form=\(scene.door.formToken.text)x&name=ci", ""] {
            #expect(try scene.status("POST", path, body: body) == 403)
        }
        func post(_ path: String, _ fields: String) throws -> TokenPost {
            let verdict = try scene.ask(
                "POST", "/_menshen/ui/" + path, body: "form=\(scene.door.formToken.text)&" + fields)
            guard case .form(let post) = verdict else { throw Problem(.notFound, status: 404, "\(verdict)") }
            return post
        }
        let made = try post("new-token", "name=+ci+&providers=a&providers=b&limits=5usd%2Fday%2C+9requests&note=x%22y")
        #expect(
            String(decoding: made.body, as: UTF8.self)
                == #"{"act":"create","name":"ci","providers":["a","b"],"models":[],"operations":[],"paths":[],"#
                + #""limits":["5usd/day","9requests"],"concurrency":"","max_errors":"","expires":"","note":"x\"y"}"#)
        #expect(try post("tokens/a%2Fb/edit", "models=m").name == "a/b")
        let rotated = try post("tokens/new/rotate", "grace=1h")
        #expect(String(decoding: rotated.body, as: UTF8.self) == #"{"act":"rotate","name":"new","grace":"1h"}"#)
        let revoked = try post("tokens/ci/revoke", "confirm=ci&now=true")
        #expect(String(decoding: revoked.body, as: UTF8.self) == #"{"act":"revoke","name":"ci","now":"true"}"#)
        #expect(!revoked.isUnconfirmed)
        #expect(try post("tokens/ci/revoke", "confirm=c").isUnconfirmed)
        for path in ["tokens/ci", "tokens/ci/create", "tokens/ci/x", "usage", ""] {
            #expect(throws: Problem.self) { try post(path, "") }
        }
    }

    private func text(of verdict: Door.Verdict) -> String {
        guard case .answer(let answer) = verdict else { return "" }
        return String(decoding: answer.body, as: UTF8.self)
    }

    @Test func `who has the session's cookie is told of changes`() throws {
        var scene = Scene()
        #expect(try scene.status("GET", "/_menshen/ui/changes") == 401)
        try scene.open()
        #expect(try scene.status("GET", "/_menshen/ui/changes") == 3)
        #expect(try scene.status("HEAD", "/_menshen/ui/changes") == 1)
        #expect(try scene.status("GET", "/_menshen/ui/changes", host: "evil.example") == 421)
        #expect(try scene.status("GET", "/_menshen/live") == 404)
    }

    @Test func `the cache is cleared by a form of the session, and by no other`() throws {
        var scene = Scene()
        let page = "/_menshen/ui/system/clear-cache"
        #expect(try scene.status("POST", page, body: "form=\(scene.door.formToken.text)") == 401)
        try scene.open()
        #expect(try scene.status("POST", page, body: "form=\(scene.door.formToken.text)") == 4)
        #expect(try scene.status("POST", page, body: "form=x") == 403)
        #expect(try scene.status("POST", page, ["Origin: http://evil.example"], body: "form=x") == 403)
        #expect(try scene.status("GET", page) == 1)
    }
}
