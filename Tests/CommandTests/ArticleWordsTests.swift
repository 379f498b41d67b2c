// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

/// The command lines of ai-menshen, as people have typed them.
struct ArticleWordsTests {
    private func ask(_ port: UInt16) throws -> Answer {
        let caller = try RawClient(tcp: port)
        try caller.request("GET", "/v1/models", ["Authorization: Bearer a-long-token"])
        return try caller.answer()
    }

    @Test func `-config serves where the file says, -listen in place of that`() throws {
        let upstream = try FakeUpstream { try $0.reply(body: "x") }
        for overrides in [false, true] {
            let directory = try TemporaryDirectory()
            let (own, other) = (try FreePort.next(), try FreePort.next())
            let file = try directory.write(
                "config.toml",
                """
                listen = ":\(own)"
                [auth]
                token = "a-long-token"
                [[providers]]
                base_url = "\(upstream.baseURL)/v1"

                """)
            let manager = try ManagerSocket(directory.path("notify"))
            let arguments = ["-config", file] + (overrides ? ["-listen", ":\(other)"] : [])
            let environment = MenshenProgram.environment(directory).merging(["NOTIFY_SOCKET": manager.path]) { $1 }
            let process = try ChildProcess(
                [MenshenProgram.path] + arguments, environment: environment, output: directory.path("out"),
                error: directory.path("err"))
            defer { process.send(9) }
            try manager.wait(for: "READY=1", orUntil: process.ended.descriptor)
            let port = overrides ? other : own
            #expect(try ask(port).text == "x")
            #expect(throws: (any Error).self) { try RawClient(tcp: overrides ? own : other).request("GET", "/") }
            let log = TemporaryDirectory.read(directory.path("err")) ?? ""
            #expect(log.contains("Starting menshen on :\(port)"))
            #expect(log.contains("Dashboard available at http://localhost:\(port)/"))
            process.send(15)
            #expect(try process.wait() == .code(0))
        }
        try upstream.stop()
    }
}
