// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
internal import Linux
import TestSupport
import Testing

struct RestartTests {
    @Test func `six restarts and reloads under load refuse nobody and break nothing`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("systemd.sock")
        let unix = try FreePort.listener(unix: path)
        defer { close(unix) }
        let over = Collected()
        let failures = Collected()
        let threads = try (0..<2).map { _ in
            try NamedThread("load") {
                while over.all.isEmpty {
                    do {
                        // One connection for each request, as a command-line tool does; and no retry.
                        let caller = try RawClient(unix: path)
                        try caller.request("GET", "/v1/models")
                        let answer = try caller.answer()
                        if answer.text != "abc" { failures.add([answer.head.text]) }
                    } catch {
                        failures.add(["\(error)"])
                    }
                }
            }
        }
        var setting = Stage.Setting()
        setting.daemon.socket = nil
        setting.daemon.inherited = [unix]
        for _ in 0..<6 {
            try Stage.run(setting, in: directory) { call in
                try call.beginStream()
                for piece in ["a", "b", "c"] { try call.chunk(piece) }
                try call.endStream()
            } _: { stage throws in
                let caller = try RawClient(unix: path)
                for _ in 0..<20 {
                    try caller.request("GET", "/v1/models")
                    #expect(try caller.answer().text == "abc")
                }
                try stage.daemon.reload()
                caller.wire.close()
                #expect(try stage.daemon.stop() == .code(0))
            }
        }
        over.add(["over"])
        // Whoever waits in the socket now is served by one last process.
        try Stage.run(setting, in: directory) {
            try $0.reply(body: "abc")
        } _: { stage throws in
            for thread in threads { thread.join() }
            #expect(try stage.records().filter { $0.endState != "complete" }.map(\.endState) == [])
        }
        #expect(failures.all == [])
    }
}
