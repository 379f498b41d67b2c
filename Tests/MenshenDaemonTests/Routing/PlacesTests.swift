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
