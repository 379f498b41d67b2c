// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import TestSupport
import Testing

/// What one request leaves behind must not reach another: handles that go back to the pool, keys that arrive late,
/// input after a refusal, connections that the provider has closed.
struct AftermathTests {
    @Test func `an early answer to an upload leaves nothing behind for those that follow`() throws {
        try Stage.run(.with { $0.readsBody = false }) { call in
            if call.request.target == "/v1/early" {
                try call.reply(413, body: "too much")
                // Closing here would be a reset, because the rest of the body is unread.
                try call.waitForEnd()
            } else {
                try call.readBody()
                try call.reply(body: call.request.target)
            }
        } _: { stage throws in
            for round in 0..<5 {
                let early = try stage.caller()
                try early.send(
                    "POST /v1/early HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                        + "Content-Length: 4000000\r\n\r\n" + String(repeating: " ", count: 200_000))
                #expect(try early.answer().status == 413)
                early.wire.close()
                let callers = try (0..<4).map { number in
                    let caller = try stage.caller()
                    try caller.request("POST", "/v1/\(round)/\(number)", body: "{}")
                    return caller
                }
                for (number, caller) in callers.enumerated() {
                    #expect(try caller.answer().text == "/v1/\(round)/\(number)")
                }
            }
        }
    }

    /// A key command that ends when the test says so.
    private func fifo(in directory: TemporaryDirectory) throws -> (setting: Stage.Setting, path: String) {
        let path = directory.path("key")
        guard mkfifo(path, 0o600) == 0 else { throw TestFailure("mkfifo: errno \(errno)") }
        return (.with { $0.key = "api_key_command = [\"/bin/cat\", \"\(path)\"]" }, path)
    }

    private func write(_ text: String, to path: String) throws {
        // Blocks until the command reads.
        let file = open(path, O_WRONLY)
        defer { close(file) }
        let bytes = Array(text.utf8)
        guard Glibc.write(file, bytes, bytes.count) == bytes.count else { throw TestFailure("write \(path)") }
    }

    @Test func `a large body that waited for its key goes up once and whole`() throws {
        let directory = try TemporaryDirectory()
        let (setting, path) = try fifo(in: directory)
        let size = 3_000_000
        try Stage.run(setting, in: directory) {
            try $0.reply(body: "\($0.request.body.count) \($0.request["Authorization"] ?? "")")
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.send(
                "POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: \(size)\r\n\r\n")
            for _ in 0..<20 { try caller.send(String(repeating: " ", count: 100_000)) }
            try write("sk-late\n", to: path)
            for _ in 0..<10 { try caller.send(String(repeating: " ", count: 100_000)) }
            #expect(try caller.answer().text == "\(size) Bearer sk-late")
            #expect(stage.upstream.requests.count == 1)
        }
    }

    @Test func `a key that arrives after its request was refused wakes nobody`() throws {
        let directory = try TemporaryDirectory()
        let (setting, path) = try fifo(in: directory)
        try Stage.run(setting, in: directory) {
            try $0.reply(body: $0.request.target)
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.send(
                "POST /v1/refused HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + "210000\r\n" + String(repeating: " ", count: 0x210000) + "\r\nZZZ\r\n")
            #expect(try caller.answer().status == 400)
            caller.wire.close()
            try write("sk-late\n", to: path)
            #expect(try stage.ask("GET", "/v1/next").text == "/v1/next")
            #expect(stage.upstream.requests.map(\.target) == ["/v1/next"])
        }
    }

    @Test func `a request that waits for its key across a reload is told so`() throws {
        let directory = try TemporaryDirectory()
        let (setting, path) = try fifo(in: directory)
        try Stage.run(setting, in: directory) {
            try $0.reply(body: "")
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.send(
                "POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{")
            // Its head has been read once another caller of the same loop was answered.
            #expect(try stage.ask("GET", "/_menshen/health").status == 200)
            try stage.daemon.reload()
            try caller.send("}")
            let answer = try caller.answer()
            #expect((answer.status, answer["x-menshen-error"]) == (503, "key_unavailable"))
            unlink(path)
        }
    }

    @Test func `what follows a refused head is no request`() throws {
        try Stage.run {
            try $0.reply(body: $0.request.target)
        } _: { stage throws in
            for _ in 0..<60 {
                let caller = try stage.caller()
                try caller.send("nonsense\r\n\r\n")
                // It may be closed already.
                try? caller.request("GET", "/v1/smuggled")
                caller.wire.close()
            }
            #expect(try stage.ask("GET", "/v1/after").text == "/v1/after")
            #expect(stage.upstream.requests.map(\.target) == ["/v1/after"])
        }
    }

    @Test func `a process whose idle connection the provider has closed ends in order`() throws {
        try Stage.run { call in
            try call.reply(body: "x")
            call.close()
        } _: { stage throws in
            // The second finds the first's connection closed, so the loop has heard of it.
            #expect(try stage.ask().text == "x")
            #expect(try stage.ask().text == "x")
            #expect(try stage.daemon.stop() == .code(0))
        }
    }
}
