// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

/// `max_concurrent`: places at a provider, and who waits for one.
struct PlacesTests {
    private static let tokens =
        "[[auth.tokens]]\nname = \"x\"\ntoken = \"token-of-x-1\"\n[[auth.tokens]]\nname = \"y\"\ntoken = \"token-of-y-1\""

    private static func setting(_ more: String) -> Stage.Setting {
        .with {
            $0.hasTCP = true
            $0.providers = [Stage.provider("a", "max_concurrent = 1\n" + more)]
            $0.tables = tokens
        }
    }

    private func begin(_ stage: Stage, _ name: String, of token: String = "x") throws -> RawClient {
        let caller = try stage.tcpCaller()
        try caller.request("GET", "/v1/\(name)", ["x-api-key: token-of-\(token)-1"])
        return caller
    }

    /// Everything asked before is at the daemon: it serves one connection after the other.
    private func settle(_ stage: Stage) throws { #expect(try stage.askTCP("GET", "/_menshen/health").status == 200) }

    @Test func `callers take turns in the queue`() throws {
        let begun = try Signal()
        let go = try Signal()
        try Stage.run(Self.setting("")) { call in
            if call.request.target.hasSuffix("/first") {
                begun.raise()
                try go.wait()
            }
            try call.reply(body: call.request.target)
        } _: { stage throws in
            let first = try begin(stage, "first")
            try begun.wait()
            var callers: [RawClient] = []
            for name in ["x1", "x2", "x3"] {
                callers.append(try begin(stage, name))
                try settle(stage)
            }
            callers.append(try begin(stage, "y1", of: "y"))
            try settle(stage)
            go.raise()
            #expect(try first.answer().status == 200)
            for caller in callers { #expect(try caller.answer().status == 200) }
            let order = stage.upstream.requests.map { String($0.target.split(separator: "/").last ?? "") }
            #expect(order == ["first", "x1", "y1", "x2", "x3"])
        }
    }

    @Test func `a full queue, and a wait that is too long, are a 429`() throws {
        let begun = try Signal()
        let go = try Signal()
        try Stage.run(Self.setting("max_queued = 1\nqueue_timeout = \"300ms\"")) { call in
            if call.request.target.hasSuffix("/first") {
                begun.raise()
                try go.wait()
            }
            try call.reply(body: "well")
        } _: { stage throws in
            let first = try begin(stage, "first")
            try begun.wait()
            let waiting = try begin(stage, "waiting")
            try settle(stage)
            let refused = try begin(stage, "refused").answer()
            #expect((refused.status, refused.problem) == (429, "concurrency_limited"))
            #expect(refused["Retry-After"] == "1" && refused["x-should-retry"] == "true")
            let late = try waiting.answer()
            #expect((late.status, late.problem) == (429, "concurrency_limited"))
            #expect(late.text.contains("queue_timeout"))
            go.raise()
            #expect(try first.answer().text == "well")
            #expect(try begin(stage, "later").answer().text == "well")
            let rows = try stage.records().filter { $0.path?.hasPrefix("/v1") == true }
            #expect(rows.filter { $0.problem == "concurrency_limited" && $0.attempts.isEmpty }.count == 2)
        }
    }

    @Test func `a place comes back however its request ends, and a caller that leaves the queue is forgotten`() throws {
        let begun = try Signal()
        let gone = try Signal()
        try Stage.run(Self.setting("")) { call in
            let name = call.request.target.split(separator: "/").last ?? ""
            switch name {
            case "left":
                try call.beginStream()
                try call.chunk("data: 1\n\n")
                begun.raise()
                try call.waitForEnd()
                gone.raise()
            case "truncated":
                try call.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly")
                call.close()
            case "reset": call.reset()
            case "refused": try call.reply(429)
            case "held":
                begun.raise()
                try gone.wait()
                try call.reply(body: "held")
            default: try call.reply(body: String(name))
            }
        } _: { stage throws in
            let left = try begin(stage, "left")
            try begun.wait()
            left.wire.close()
            try gone.wait("the end of the stream")
            #expect(throws: (any Error).self) { _ = try begin(stage, "truncated").answer() }
            #expect(try begin(stage, "reset").answer().status == 502)
            #expect(try begin(stage, "refused").answer().status == 429)
            let held = try begin(stage, "held")
            try begun.wait()
            let leaving = try begin(stage, "leaving")
            try settle(stage)
            let staying = try begin(stage, "staying")
            leaving.wire.close()
            try settle(stage)
            // Kept by a reload as well.
            try stage.daemon.reload()
            let newcomer = try begin(stage, "newcomer")
            try settle(stage)
            #expect(stage.upstream.requests.last?.target == "/a/v1/held")
            gone.raise()
            #expect(try held.answer().text == "held")
            #expect(try staying.answer().text == "staying")
            #expect(try newcomer.answer().text == "newcomer")
            #expect(!stage.upstream.requests.contains { $0.target.hasSuffix("leaving") })
        }
    }

    @Test(arguments: [false, true])
    func `a caller that takes nothing, or sends nothing, gives its place to one that waits`(isUpload: Bool) throws {
        var setting = Self.setting("queue_timeout = \"2s\"")
        setting.readsBody = false
        let piece = String(repeating: "x", count: 64 << 10)
        let begun = try Signal()
        try Stage.run(setting) { call in
            if call.request.target.hasSuffix("/slow") {
                begun.raise()
                if isUpload { return try call.waitForEnd() }
                try call.beginStream()
                // Ends when menshen has given the request up.
                while (try? call.chunk(piece)) != nil {}
                return call.close()
            }
            try call.reply(body: "well")
        } _: { stage throws in
            let slow = try stage.tcpCaller()
            let body = isUpload ? "Content-Length: 4000000\r\n\r\n" + String(repeating: " ", count: 1 << 17) : "\r\n"
            try slow.send(
                "\(isUpload ? "POST" : "GET") /v1/slow HTTP/1.1\r\nHost: localhost\r\nx-api-key: token-of-x-1\r\n"
                    + "Content-Type: application/json\r\n" + body)
            try begun.wait()
            #expect(try begin(stage, "other", of: "y").answer().text == "well")
            if isUpload { #expect(try slow.answer(to: "POST").status == 408) }
            let row = try stage.records().first { $0.path == "/v1/slow" }
            #expect(row?.problem == "request_timeout" && row?.endState == (isUpload ? "refused" : "client_gone"))
            #expect(row?.attempts.count == 1)
        }
    }

    @Test func `while one is full another is asked, in failover too`() throws {
        let begun = try Signal()
        let go = try Signal()
        let setting = Stage.Setting.with {
            $0.providers = [
                Stage.provider("a", leads: true), Stage.provider("b", "max_concurrent = 1"), Stage.provider("c"),
            ]
        }
        try Stage.run(setting) { call in
            if call.provider == "a" { return try call.reply(500) }
            if call.provider == "b" {
                begun.raise()
                try go.wait()
            }
            try call.reply(body: call.provider)
        } _: { stage throws in
            let first = try stage.caller()
            try first.request("GET", "/b/v1/x")
            try begun.wait()
            #expect(try stage.ask("GET", "/v1/y").text == "c")
            go.raise()
            #expect(try first.answer().text == "b")
        }
    }
}
