// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

/// What a WebSocket does under load, and how it ends.
struct WebSocketEndTests {
    private static let size = 8 << 20

    @Test(arguments: [false, true])
    func `what a slow end does not read is held back, and nothing is lost`(callerIsSlow: Bool) throws {
        let go = try Signal()
        let blocked = try Signal()
        // A message of both ends is written as the kernel takes it, until the relay takes no more.
        @Sendable func fill(_ wire: Wire, _ bytes: [UInt8]) throws -> Int {
            var sent = 0
            while try !wire.isBlocked(milliseconds: 300) {
                sent += try wire.writeWithoutWaiting(Array(bytes[sent..<min(bytes.count, sent + 65536)]))
            }
            return sent
        }
        let message = Frame(opcode: Frame.binary, payload: (0..<Self.size).map { UInt8(truncatingIfNeeded: $0 >> 8) })
        // The kernel keeps megabytes for a TCP connection, and little for one of Unix sockets.
        try Stage.run(.with { $0.upstreamOnUnix = true }) { call in
            try call.acceptWebSocket()
            if callerIsSlow {
                let bytes = message.bytes(masked: false)
                let sent = try fill(call.wire, bytes)
                #expect(sent < 2 << 20)
                blocked.raise()
                try call.send(Array(bytes[sent...]))
            } else {
                try go.wait()
                #expect(try call.wire.readFrame(masked: true) == message)
                blocked.raise()
            }
            try call.waitForEnd()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.askForWebSocket()
            _ = try caller.webSocketHead()
            let before = stage.daemon.peakMemory
            if callerIsSlow {
                try blocked.wait("the provider held back")
                #expect(try caller.wire.readFrame(masked: false) == message)
            } else {
                let bytes = message.bytes(masked: true)
                let sent = try fill(caller.wire, bytes)
                #expect(sent < 2 << 20)
                go.raise()
                try caller.send(Array(bytes[sent...]))
                try blocked.wait("the message at the provider")
            }
            #expect(stage.daemon.peakMemory - before < 4 << 10)
        }
    }

    @Test func `both directions at once`() throws {
        try Stage.run { call in
            try call.acceptWebSocket()
            while case let piece = try call.wire.read(), !piece.isEmpty { try call.send(piece) }
            call.close()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.askForWebSocket()
            _ = try caller.webSocketHead()
            let payload = (0..<Self.size).map { UInt8(truncatingIfNeeded: $0 >> 7) }
            let bytes = Frame(opcode: Frame.binary, payload: payload).bytes(masked: false)
            var sent = 0
            var back: [UInt8] = []
            while back.count < bytes.count {
                let count = try caller.wire.writeWithoutWaiting(Array(bytes[sent..<min(bytes.count, sent + 65536)]))
                sent += count
                // The relay is full: what the provider has echoed makes room.
                if count == 0 { back += try caller.wire.read() }
            }
            #expect(back == bytes)
            caller.wire.close()
        }
    }

    enum Leaving: CaseIterable { case closingUnix, closingTCP, resettingTCP }

    @Test(arguments: Leaving.allCases)
    func `a caller that leaves ends the provider's work at once`(leaving: Leaving) throws {
        let heard = try Signal()
        let gone = try Signal()
        try Stage.run(.with { $0.hasTCP = leaving != .closingUnix }) { call in
            try call.acceptWebSocket()
            #expect(try call.wire.readFrame(masked: true) == .text("last"))
            heard.raise()
            try call.waitForEnd()
            gone.raise()
        } _: { stage throws in
            let caller = try leaving == .closingUnix ? stage.caller() : stage.tcpCaller()
            try caller.askForWebSocket("/v1/realtime", ["Authorization: Bearer \(Stage.token)"])
            _ = try caller.webSocketHead()
            try caller.wire.write(.text("last"), masked: true)
            if leaving == .resettingTCP {
                // A reset overtakes what was sent before it.
                try heard.wait("the message at the provider")
                caller.wire.reset()
            } else {
                caller.wire.close()
            }
            try gone.wait("the end upstream")
            let row = try #require(try stage.records().first)
            #expect((row.status, row.endState) == (101, "client_gone"))
            #expect(row.attempts == ["openai 101 client_gone"])
        }
    }

    @Test func `a caller that says goodbye and leaves has ended it well`() throws {
        try Stage.run { call in
            try call.acceptWebSocket()
            #expect(try call.wire.readFrame(masked: true) == .goodbye)
            try call.waitForEnd()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.askForWebSocket()
            _ = try caller.webSocketHead()
            try caller.wire.write(.goodbye, masked: true)
            caller.wire.close()
            try stage.upstream.stop()
            #expect(try stage.records().map(\.endState) == ["complete"])
        }
    }

    enum Breaking: CaseIterable { case closing, resetting, afterGoodbye }

    @Test(arguments: Breaking.allCases)
    func `a provider that leaves ends the caller's connection`(breaking: Breaking) throws {
        let heard = try Signal()
        try Stage.run { call in
            try call.acceptWebSocket(with: Frame.text("first").bytes(masked: false))
            if breaking == .afterGoodbye { try call.wire.write(.goodbye, masked: false) }
            if breaking == .resetting {
                // A reset throws away what has not been read.
                try heard.wait("the first message at the caller")
                call.reset()
            } else {
                call.close()
            }
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.askForWebSocket()
            _ = try caller.webSocketHead()
            #expect(try caller.wire.readFrame(masked: false) == .text("first"))
            heard.raise()
            if breaking == .afterGoodbye { #expect(try caller.wire.readFrame(masked: false) == .goodbye) }
            #expect(try caller.isClosedCleanly())
            caller.wire.close()
            let row = try #require(try stage.records().first)
            #expect(row.endState == (breaking == .afterGoodbye ? "complete" : "truncated"))
            #expect(row.attempts == ["openai 101 \(breaking == .afterGoodbye ? "ok" : "truncated")"])
        }
    }
}
