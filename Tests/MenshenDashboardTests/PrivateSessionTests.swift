// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Linux
import MenshenDashboard
import TestSupport
import Testing

/// The server of `menshen dashboard` with a real daemon behind it.
@Suite struct PrivateSessionTests {
    /// Serves while `act` runs; `ask` is one request by hand.
    private func serve(
        _ socket: String,
        _ act: (_ session: PrivateSession, _ ask: (String, String, [String], String?) throws -> Answer) throws -> Void
    ) throws {
        let session = try PrivateSession(port: 0, socket: socket) { _ in "nobody is there. Start it." }
        let threads = try session.start()
        defer {
            session.stop()
            for thread in threads { thread.join() }
        }
        let port = try #require(UInt16(session.link.split(separator: "/")[1].split(separator: ":")[1]))
        try act(session) { method, target, fields, body in
            let client = try RawClient(tcp: port)
            var lines = ["\(method) \(target) HTTP/1.1", "Host: 127.0.0.1:\(port)"] + fields
            if method == "POST" { lines.append("Origin: http://127.0.0.1:\(port)") }
            if let body {
                lines += ["Content-Type: application/x-www-form-urlencoded", "Content-Length: \(body.utf8.count)"]
            }
            try client.send(lines.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? ""))
            let answer = try client.answer(to: method)
            #expect(try client.isClosedCleanly())
            return answer
        }
    }

    private func open(_ session: PrivateSession, _ ask: (String, String, [String], String?) throws -> Answer) throws
        -> [String]
    {
        let path = "/" + session.link.split(separator: "/").dropFirst(2).joined(separator: "/")
        let opened = try ask("POST", path, [], nil)
        #expect(opened.status == 303 && session.isOpened)
        let cookie = try #require(opened["Set-Cookie"]?.split(separator: ";").first)
        return ["Cookie: \(cookie)"]
    }

    @Test func `pages have forms in the session and nowhere else, and a token comes, works, changes and goes`() throws {
        try Stage.run(.with { $0.hasTCP = true }) {
            try $0.reply()
        } _: { stage throws in
            try serve(stage.daemon.socketPath) { session, ask in
                let cookie = try open(session, ask)
                let page = try ask("GET", "/_menshen/ui/new-token", cookie, nil)
                #expect(page.status == 200 && page["Cross-Origin-Resource-Policy"] == "same-origin")
                let form = try #require(
                    page.text.split(separator: "name=\"form\" value=\"").last?.prefix { $0 != "\"" })
                let made = try ask(
                    "POST", "/_menshen/ui/new-token", cookie, "form=\(form)&name=ci&providers=openai&note=of+the+build")
                let token = try #require(
                    made.text.split(separator: ">").map { $0.prefix { $0 != "<" } }.first { $0.hasPrefix("mns_") })
                #expect(made.status == 200 && made["Cache-Control"] == "no-store")
                func asks() throws -> Int {
                    try stage.askTCP("GET", "/v1/models", ["Authorization: Bearer \(token)"]).status
                }
                #expect(try asks() == 200)
                // Once: neither a page nor the file has it.
                let shown = try ask("GET", "/_menshen/ui/tokens/ci", cookie, nil).text
                #expect(shown.contains("of the build") && shown.contains("action=\"/_menshen/ui/tokens/ci/revoke\""))
                #expect(!shown.contains(token))
                let again = try ask("POST", "/_menshen/ui/new-token", cookie, "form=\(form)&name=ci")
                #expect(again.status == 409 && again.text.contains("already"))
                // What was typed is not lost.
                let mend = try #require(again.text.split(separator: "\"").first { $0.contains("new-token?") })
                let filled = try ask("GET", String(mend.replacing("&amp;", with: "&")), cookie, nil)
                #expect(filled.text.contains("name=\"name\" value=\"ci\""))
                let wrong = try ask("POST", "/_menshen/ui/tokens/ci/edit", cookie, "form=\(form)&providers=none")
                #expect(wrong.status == 400 && wrong.text.contains("no provider &#39;none&#39;"))
                let edited = try ask(
                    "POST", "/_menshen/ui/tokens/ci/edit", cookie, "form=\(form)&models=gpt-*&note=two")
                #expect((edited.status, edited["Location"]) == (303, "/_menshen/ui/tokens/ci"))
                #expect(try ask("GET", "/_menshen/ui/tokens/ci/edit", cookie, nil).text.contains("value=\"gpt-*\""))
                #expect(try ask("POST", "/_menshen/ui/tokens/ci/revoke", cookie, "form=\(form)&confirm=").status == 400)
                #expect(
                    try ask("POST", "/_menshen/ui/tokens/ci/revoke", cookie, "form=\(form)&confirm=ci").status == 303)
                #expect(try asks() == 401)
                #expect(!(try ask("GET", "/_menshen/ui/tokens/ci", cookie, nil).text.contains("method=\"post\"")))
            }
            // On the socket without a session, and over TCP whatever is said, nothing can be changed.
            for path in ["/_menshen/ui/tokens", "/_menshen/ui/new-token", "/_menshen/ui/tokens/ci"] {
                #expect(!(try stage.ask("GET", path).text.contains("method=\"post\"")), "\(path)")
            }
            #expect(try stage.ask("GET", "/_menshen/ui/new-token").status == 403)
            let said = ["X-Menshen-Form: f0rm"]
            #expect(try stage.ask("GET", "/_menshen/ui/new-token", said).text.contains("value=\"f0rm\""))
            #expect(try stage.ask("GET", "/_menshen/ui/new-token", said + ["Sec-Fetch-Site: none"]).status == 403)
            #expect(try stage.ask("GET", "/_menshen/ui/new-token", said + ["Origin: http://x"]).status == 403)
        }
    }

    @Test func `over TCP the password only looks`() throws {
        let setting = Stage.Setting.with {
            $0.hasTCP = true
            $0.authentication = Stage.password
        }
        try Stage.run(setting) {
            try $0.reply()
        } _: { stage throws in
            // admin:open sesame
            let fields = ["Authorization: Basic YWRtaW46b3BlbiBzZXNhbWU=", "X-Menshen-Form: f0rm"]
            #expect(try stage.askTCP("GET", "/_menshen/ui/tokens", fields).status == 200)
            #expect(try stage.askTCP("GET", "/_menshen/ui/new-token", fields).status == 403)
        }
    }

    @Test func `a daemon that is gone is told of with the fix, and what is not HTTP with what it is not`() throws {
        let directory = try TemporaryDirectory()
        try serve(directory.path("nobody.sock")) { session, ask in
            let cookie = try open(session, ask)
            let answer = try ask("GET", "/_menshen/ui/", cookie, nil)
            #expect(answer.status == 503 && answer.text.contains("Nobody is there. Start it. Then reload this page."))
            #expect(try ask("GET", "no-path", cookie, nil).status == 400)
            #expect(
                try ask("POST", "/_menshen/ui/new-token", cookie, String(repeating: "x", count: 20_000)).status == 413)
            // And it goes on.
            #expect(try ask("HEAD", "/_menshen/ui/", cookie, nil).body.isEmpty)
        }
    }

    @Test func `four pages follow what goes on, each until its browser leaves, and others are still shown`() throws {
        try Stage.run(.with { $0.hasTCP = true }) {
            try $0.reply()
        } _: { stage throws in
            try serve(stage.daemon.socketPath) { session, ask in
                let cookie = try open(session, ask)
                let port = try #require(UInt16(session.link.split(separator: "/")[1].split(separator: ":")[1]))
                func follow() throws -> (client: RawClient, status: Int) {
                    let client = try RawClient(tcp: port)
                    let lines = ["GET /_menshen/ui/changes HTTP/1.1", "Host: 127.0.0.1:\(port)"] + cookie
                    try client.send(lines.joined(separator: "\r\n") + "\r\n\r\n")
                    let head = try client.head()
                    if head.status == 200 {
                        #expect(head["Content-Type"] == "text/event-stream" && head["Content-Length"] == nil)
                        #expect(try client.wire.read(through: "\n\n") == Array("retry: 3000\n\n".utf8))
                    }
                    return (client, head.status)
                }
                var readers = try (0..<4).map { _ in try follow() }
                #expect(readers.map(\.status) == [200, 200, 200, 200])
                #expect(try follow().status == 503)
                #expect(try ask("GET", "/_menshen/ui/live", cookie, nil).status == 200)
                readers.removeFirst().client.wire.close()
                let end = Clock.monotonic() + UInt64(Signal.patience) * 1000
                var again = 503
                while again != 200, Clock.monotonic() < end { again = try follow().status }
                #expect(again == 200)
                for reader in readers { reader.client.wire.close() }
            }
        }
    }

    @Test func `the cache is cleared from its page, where there is one`() throws {
        let setting = Stage.Setting.with { $0.tables = "[cache]\nenable = true\nmax_age = \"1h\"" }
        for (setting, hasCache) in [(setting, true), (Stage.Setting(), false)] {
            try Stage.run(setting) {
                try $0.reply()
            } _: { stage throws in
                try serve(stage.daemon.socketPath) { session, ask in
                    let cookie = try open(session, ask)
                    let page = try ask("GET", "/_menshen/ui/system", cookie, nil).text
                    #expect(page.contains("action=\"/_menshen/ui/system/clear-cache\"") == hasCache)
                    let form = try #require(
                        try ask("GET", "/_menshen/ui/new-token", cookie, nil).text.split(
                            separator: "name=\"form\" value=\""
                        ).last?.prefix { $0 != "\"" })
                    let answer = try ask("POST", "/_menshen/ui/system/clear-cache", cookie, "form=\(form)")
                    if hasCache {
                        #expect((answer.status, answer["Location"]) == (303, "/_menshen/ui/system"))
                    } else {
                        #expect(answer.status == 409 && answer.text.contains("cache.enable"))
                        #expect(answer.text.contains("href=\"/_menshen/ui/system\""))
                    }
                }
                #expect(!(try stage.ask("GET", "/_menshen/ui/system").text.contains("clear-cache")))
            }
        }
    }
}
