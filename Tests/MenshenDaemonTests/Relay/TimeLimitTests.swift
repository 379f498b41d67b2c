// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

struct TimeLimitTests {
    @Test func `a provider that says nothing is a 504 after first_byte_timeout`() throws {
        try Stage.run(.with { $0.tables = "[upstream]\nfirst_byte_timeout = \"200ms\"\nconnect_timeout = \"100ms\"" }) {
            call in
            try call.waitForEnd()
        } _: { stage throws in
            let answer = try stage.ask("POST", "/v1/messages", body: "{}")
            #expect((answer.status, answer.problem) == (504, "upstream_timeout"))
            #expect(answer.text.contains("upstream.first_byte_timeout"))
            #expect(answer.text.contains("timeout_error"))
            let row = try #require(try stage.records().first)
            #expect((row.status, row.endState) == (504, "timeout"))
            #expect(row.attempts == ["openai - first_byte_timeout"])
        }
    }

    @Test func `an answer that falls silent is broken after gap_timeout`() throws {
        try Stage.run(.with { $0.tables = "[upstream]\ngap_timeout = \"200ms\"" }) { call in
            try call.beginStream()
            try call.chunk("data: 1\n\n")
            try call.waitForEnd()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("GET", "/v1/x")
            #expect(try caller.head().status == 200)
            #expect(throws: (any Error).self) { while try caller.chunk() != nil {} }
            let row = try #require(try stage.records().first)
            #expect((row.status, row.endState, row.problem) == (200, "timeout", "upstream_timeout"))
            #expect(row.attempts == ["openai 200 gap_timeout"])
        }
    }

    @Test func `an address that never accepts is a 504 after connect_timeout`() throws {
        let port = try FreePort.silent()
        try Stage.run(
            .with {
                $0.baseURL = "http://127.0.0.1:\(port.number)"
                $0.tables = "[upstream]\nconnect_timeout = \"300ms\""
            }
        ) { _ in
        } _: { stage throws in
            let answer = try stage.ask()
            #expect((answer.status, answer.problem) == (504, "upstream_timeout"))
            #expect(answer.text.contains("upstream.connect_timeout"))
            #expect(try stage.records().first?.attempts == ["openai - connect_timeout"])
        }
    }

    @Test func `an answer that goes on is broken after total_timeout`() throws {
        try Stage.run(.with { $0.tables = "[upstream]\ntotal_timeout = \"400ms\"" }) { call in
            try call.beginStream()
            try call.chunk("data: 1\n\n")
            try call.waitForEnd()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("GET", "/v1/x")
            #expect(try caller.head().status == 200)
            #expect(throws: (any Error).self) { while try caller.chunk() != nil {} }
            let row = try #require(try stage.records().first)
            #expect((row.endState, row.problem) == ("timeout", "upstream_timeout"))
            #expect(row.attempts == ["openai 200 total_timeout"])
        }
    }

    @Test func `a slow reader is not taken for a silent provider`() throws {
        let go = try Signal()
        try Stage.run(.with { $0.tables = "[upstream]\ngap_timeout = \"2s\"" }) { call in
            let piece = [UInt8](repeating: 7, count: 1 << 20)
            try call.send("HTTP/1.1 200 OK\r\nContent-Length: \(32 << 20)\r\n\r\n")
            var sent = 0
            while try !call.wire.isBlocked(milliseconds: 1000) { sent += try call.wire.writeWithoutWaiting(piece) }
            go.raise()
            while sent < 32 << 20 {
                let count = min(piece.count, 32 << 20 - sent)
                try call.send(Array(piece[..<count]))
                sent += count
            }
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("GET", "/v1/x")
            #expect(try caller.head().status == 200)
            try go.wait()
            #expect(try caller.wire.read(exactly: 32 << 20).count == 32 << 20)
        }
    }
}
