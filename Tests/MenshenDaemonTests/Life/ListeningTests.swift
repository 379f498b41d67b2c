// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

struct ListeningTests {
    private static let configuration = "[[providers]]\nname = \"p\"\nbase_url = \"http://127.0.0.1:1/v1\"\n"
    private static let withToken = "[auth]\ntoken = \"a-long-token\"\n" + configuration

    /// A start that must fail.
    private func start(
        _ arguments: [String], configuration: String = ListeningTests.configuration, in directory: TemporaryDirectory
    ) throws -> MenshenProgram.Result {
        let file = try directory.write("own.toml", configuration)
        return try MenshenProgram.run(["serve", "--config", file] + arguments, in: directory)
    }

    @Test func `the socket is private, and so is its directory`() throws {
        try Stage.run {
            try $0.reply()
        } _: { stage throws in
            #expect(try stage.ask().status == 200)
            #expect(TemporaryDirectory.mode(stage.daemon.socketPath) == 0o600)
            #expect(TemporaryDirectory.mode(stage.directory.path("run")) == 0o700)
            #expect(TemporaryDirectory.mode(stage.daemon.databasePath) == 0o600)
            _ = try stage.daemon.stop()
            #expect(TemporaryDirectory.mode(stage.daemon.socketPath) == nil)
        }
    }

    @Test func `a file, a link or a live socket in the way stays untouched`() throws {
        let directory = try TemporaryDirectory()
        _ = try directory.makeDirectory("run")
        let file = try directory.write("run/file", "precious")
        try directory.link("run/link", to: file)
        for path in [file, directory.path("run/link")] {
            let result = try start(["--socket", path], in: directory)
            #expect(result.exit == .code(78))
            #expect(result.error.contains(path))
        }
        #expect(TemporaryDirectory.read(file) == "precious")
        try Stage.run {
            try $0.reply(body: "alive")
        } _: { stage throws in
            let result = try start(["--socket", stage.daemon.socketPath], in: directory)
            #expect(result.exit == .code(78))
            #expect(try stage.ask().text == "alive")
        }
    }

    @Test func `a socket that a crash left behind is taken over`() throws {
        let directory = try TemporaryDirectory()
        for _ in 0..<2 {
            try Stage.run(in: directory) {
                try $0.reply(body: "served")
            } _: { stage throws in
                #expect(try stage.ask().text == "served")
                try stage.daemon.kill()
                #expect(TemporaryDirectory.mode(stage.daemon.socketPath) == 0o600)
            }
        }
    }

    @Test func `a path longer than a socket's name may be is told so`() throws {
        let directory = try TemporaryDirectory()
        let result = try start(["--socket", directory.path(String(repeating: "a", count: 120))], in: directory)
        #expect(result.exit == .code(78))
        #expect(result.error.contains("107") || result.error.contains("108"))
    }

    @Test func `a directory that others may enter holds no socket`() throws {
        let directory = try TemporaryDirectory()
        _ = try directory.makeDirectory("shared", mode: 0o755)
        let result = try start(["--socket", directory.path("shared/m.sock")], in: directory)
        #expect(result.exit == .code(78))
        #expect(result.error.contains("chmod 700"))
    }

    @Test(arguments: ["0.0.0.0:1", "[::]:1"])
    func `an address that others can reach needs authentication and the unsafe switch`(address: String) throws {
        let directory = try TemporaryDirectory()
        let plain = try start(["--listen", address], configuration: Self.withToken, in: directory)
        #expect(plain.exit == .code(78))
        #expect(plain.error.contains("other machines can reach"))
        let open = "[auth]\nenable = false\n" + Self.configuration
        let unsafe = try start(["--listen", address, "--unsafe-listen"], configuration: open, in: directory)
        #expect(unsafe.exit == .code(78))
    }

    @Test func `TCP without a token is refused at the start`() throws {
        let directory = try TemporaryDirectory()
        let result = try start(["--listen", ":\(try FreePort.next())"], in: directory)
        #expect(result.exit == .code(78))
        #expect(result.error.contains("token"))
    }

    @Test func `a port that is taken is told so`() throws {
        let directory = try TemporaryDirectory()
        let port = try FreePort.listener()
        let result = try start(["--listen", ":\(port.number)"], configuration: Self.withToken, in: directory)
        #expect(result.exit == .code(78))
        #expect(result.error.contains("\(port.number)"))
    }

    @Test func `both families of loopback are listened on`() throws {
        try Stage.run(.with { $0.hasTCP = true }) {
            try $0.reply(body: "x")
        } _: { stage throws in
            for address in ["127.0.0.1", "::1"] {
                let caller = try RawClient(tcp: stage.daemon.port, address: address)
                try caller.request("GET", "/v1/models", ["x-api-key: \(Stage.token)"])
                #expect(try caller.answer().text == "x", "\(address)")
            }
            #expect(stage.daemon.log.contains("Starting menshen on :\(stage.daemon.port)"))
            #expect(stage.daemon.log.contains("Dashboard available at http://localhost:\(stage.daemon.port)/"))
        }
    }

    @Test func `a second menshen with the same database says who has it`() throws {
        try Stage.run {
            try $0.reply()
        } _: { stage throws in
            // The database is opened after the start; a record says that it is.
            #expect(try stage.ask().status == 200)
            let second = try TemporaryDirectory()
            let daemon = try DaemonUnderTest(
                "[storage.sqlite]\npath = \"\(stage.daemon.databasePath)\"\n" + Self.configuration, in: second)
            let caller = try RawClient(unix: daemon.socketPath)
            try caller.request("GET", "/v1/models")
            #expect(try caller.answer().status >= 500)
            #expect(daemon.log.contains("another menshen (process \(stage.daemon.process.pid)) uses it"))
            _ = try daemon.stop()
            #expect(try stage.ask().status == 200)
        }
    }
}
