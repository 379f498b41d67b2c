// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

struct StopTests {
    @Test func `a stream under way ends before the process does`() throws {
        let go = try Signal()
        try Stage.run { call in
            try call.beginStream()
            try call.chunk("first")
            try go.wait()
            try call.chunk("second")
            try call.endStream()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("GET", "/v1/x")
            _ = try caller.head()
            #expect(try caller.chunk()?.count == 5)
            try stage.daemon.beginStop()
            // The name goes right after the manager has heard of it.
            while (try? stage.caller()) != nil {}
            #expect(TemporaryDirectory.mode(stage.daemon.socketPath) == nil)
            go.raise()
            #expect(try caller.chunk()?.count == 6)
            #expect(try caller.chunk() == nil)
            _ = try caller.trailers()
            #expect(try stage.daemon.process.wait() == .code(0))
            #expect(try stage.daemon.rows().map(\.endState) == ["complete"])
        }
    }

    @Test func `an answer that begins while it stops ends its connection`() throws {
        let arrived = try Signal()
        let go = try Signal()
        try Stage.run { call in
            arrived.raise()
            try go.wait()
            try call.reply(body: "late")
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("GET", "/v1/x")
            try arrived.wait()
            let kept = try stage.caller()
            try stage.daemon.beginStop()
            // A worker hears of it after the manager does; then a kept connection is told.
            var told: Answer
            repeat {
                try kept.request("GET", "/_menshen/health")
                told = try kept.answer()
            } while told["Connection"] == nil
            #expect((told.status, told["Connection"]) == (200, "close"))
            go.raise()
            let answer = try caller.answer()
            #expect((answer.text, answer["Connection"]) == ("late", "close"))
            #expect(try caller.isClosedCleanly())
            #expect(try stage.daemon.process.wait() == .code(0))
        }
    }

    @Test func `an idle connection does not keep it from stopping`() throws {
        try Stage.run {
            try $0.reply()
        } _: { stage throws in
            let idle = try stage.caller()
            try idle.request("GET", "/v1/x")
            #expect(try idle.answer().status == 200)
            #expect(try stage.daemon.stop() == .code(0))
            #expect(try idle.isClosedCleanly())
        }
    }

    @Test func `what does not end in drain_timeout is aborted and recorded so`() throws {
        try Stage.run(.with { $0.tables = "[server]\ndrain_timeout = \"300ms\"" }) { call in
            try call.beginStream()
            try call.chunk("first")
            try call.waitForEnd()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("GET", "/v1/x")
            _ = try caller.head()
            #expect(try caller.chunk()?.count == 5)
            #expect(try stage.daemon.stop() == .code(0))
            #expect(throws: (any Error).self) { try caller.chunk() }
            #expect(try stage.daemon.rows().map(\.endState) == ["aborted"])
        }
    }

    @Test func `a second SIGTERM changes nothing`() throws {
        let go = try Signal()
        try Stage.run { call in
            try go.wait()
            try call.reply(body: "whole")
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("GET", "/v1/x")
            try stage.daemon.beginStop()
            stage.daemon.process.send(15)
            stage.daemon.process.send(15)
            go.raise()
            #expect(try caller.answer().text == "whole")
            #expect(try stage.daemon.process.wait() == .code(0))
        }
    }

    @Test func `after a crash open records are lost, and the database is sound`() throws {
        let directory = try TemporaryDirectory()
        let script: FakeUpstream.Script = { call in
            if call.request.target == "/v1/quick" { return try call.reply() }
            try call.beginStream()
            try call.chunk("first")
            try call.waitForEnd()
        }
        try Stage.run(in: directory, upstream: script) { stage throws in
            #expect(try stage.ask("GET", "/v1/quick").status == 200)
            let callers = try (0..<3).map { _ in
                let caller = try stage.caller()
                try caller.request("GET", "/v1/slow")
                _ = try caller.head()
                return caller
            }
            try stage.daemon.kill()
            for caller in callers { caller.wire.close() }
        }
        try Stage.run(in: directory, upstream: script) { stage throws in
            #expect(try stage.ask("GET", "/v1/quick").status == 200)
            let rows = try stage.records()
            // A caller whose answer had begun has its row.
            #expect(rows.count == 5)
            #expect(rows.filter { $0.path == "/v1/slow" }.map(\.endState) == ["lost", "lost", "lost"])
            #expect(rows.filter { $0.path == "/v1/quick" }.last?.endState == "complete")
            #expect(try stage.daemon.integrity() == ["ok"])
        }
    }
}
