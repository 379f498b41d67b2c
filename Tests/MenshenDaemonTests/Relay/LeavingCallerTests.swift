// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

/// A caller that leaves ends the provider's work at once: what nobody reads must not be paid for.
struct LeavingCallerTests {
    enum Leaving: CaseIterable { case closingUnix, closingTCP, resettingTCP }

    @Test(arguments: Leaving.allCases)
    func `a caller that leaves while it waits cancels the request`(leaving: Leaving) throws {
        let begun = try Signal()
        let gone = try Signal()
        try Stage.run(.with { $0.hasTCP = leaving != .closingUnix }) { call in
            begun.raise()
            try call.waitForEnd()
            gone.raise()
        } _: { stage throws in
            let caller = try leaving == .closingUnix ? stage.caller() : stage.tcpCaller()
            try caller.request("GET", "/v1/x", ["Authorization: Bearer \(Stage.token)"])
            try begun.wait()
            if leaving == .resettingTCP { caller.wire.reset() } else { caller.wire.close() }
            try gone.wait("the end of the request upstream")
            let row = try #require(try stage.records().first)
            #expect((row.status, row.endState) == (nil, "client_gone"))
            #expect(row.attempts == ["openai - client_gone"])
        }
    }

    @Test(arguments: Leaving.allCases)
    func `a caller that leaves a stream cancels it`(leaving: Leaving) throws {
        let gone = try Signal()
        try Stage.run(.with { $0.hasTCP = leaving != .closingUnix }) { call in
            try call.beginStream()
            try call.chunk("data: 1\n\n")
            try call.waitForEnd()
            gone.raise()
        } _: { stage throws in
            let caller = try leaving == .closingUnix ? stage.caller() : stage.tcpCaller()
            try caller.request("GET", "/v1/x", ["Authorization: Bearer \(Stage.token)"])
            _ = try caller.head()
            #expect(try caller.chunk()?.count == 9)
            if leaving == .resettingTCP { caller.wire.reset() } else { caller.wire.close() }
            try gone.wait("the end of the stream upstream")
            let row = try #require(try stage.records().first)
            #expect((row.status, row.endState, row.bytesOut) == (200, "client_gone", 9))
        }
    }

    @Test func `a caller that leaves with a full buffer cancels the stream`() throws {
        let blocked = try Signal()
        let gone = try Signal()
        try Stage.run { call in
            let piece = [UInt8](repeating: 7, count: 1 << 20)
            try call.send("HTTP/1.1 200 OK\r\nContent-Length: \(1 << 30)\r\n\r\n")
            while try !call.wire.isBlocked(milliseconds: 300) { _ = try call.wire.writeWithoutWaiting(piece) }
            blocked.raise()
            try call.waitForEnd()
            gone.raise()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("GET", "/v1/x")
            _ = try caller.head()
            try blocked.wait()
            caller.wire.close()
            try gone.wait("the end of the stream upstream")
            #expect(try stage.records().first?.endState == "client_gone")
        }
    }

    @Test func `a caller that leaves in the middle of a small body leaves a record and nothing else`() throws {
        try Stage.run {
            try $0.reply()
        } _: { stage throws in
            for _ in 0..<20 {
                let caller = try stage.caller()
                try caller.send("POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
                caller.wire.close()
            }
            #expect(try stage.ask().status == 200)
            let rows = try stage.records()
            #expect(rows.filter { $0.endState == "client_gone" }.count == 20)
            #expect(stage.upstream.requests.count == 1)
        }
    }

    @Test func `a cancelled request harms none that follows`() throws {
        let begun = try Signal()
        try Stage.run { call in
            if call.request.target == "/v1/hang" {
                begun.raise()
                try call.waitForEnd()
            } else {
                try call.reply(body: call.request.target)
            }
        } _: { stage throws in
            for number in 0..<10 {
                let caller = try stage.caller()
                try caller.request("GET", "/v1/hang")
                try begun.wait()
                caller.wire.close()
                #expect(try stage.ask("GET", "/v1/\(number)").text == "/v1/\(number)")
            }
        }
    }

    @Test func `a caller that leaves once it has read DONE has had the whole answer`() throws {
        let gone = try Signal()
        try Stage.run { call in
            try call.beginStream()
            try call.chunk("data: 1\n\n")
            try call.chunk("data: [DONE]\n\n")
            try call.waitForEnd()
            gone.raise()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("GET", "/v1/x")
            _ = try caller.head()
            _ = try caller.chunk()
            _ = try caller.chunk()
            caller.wire.close()
            try gone.wait("the end of the request upstream")
            let row = try #require(try stage.records().first)
            #expect((row.status, row.endState) == (200, "complete"))
            #expect(row.attempts == ["openai 200 ok"])
        }
    }
}
