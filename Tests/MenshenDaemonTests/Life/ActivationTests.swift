// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
import TestSupport
import Testing

/// Started by its sockets, as by systemd.
struct ActivationTests {
    private static func setting(_ descriptors: [Int32], _ tables: String = "") -> Stage.Setting {
        .with {
            $0.daemon.socket = nil
            $0.daemon.inherited = descriptors
            $0.tables = tables
        }
    }

    private func ask(_ path: String) throws -> Answer {
        let caller = try RawClient(unix: path)
        try caller.request("GET", "/v1/models")
        return try caller.answer()
    }

    @Test func `inherited sockets are served, each by its own rules`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("systemd.sock")
        let unix = try FreePort.listener(unix: path)
        defer { close(unix) }
        let tcp = try FreePort.listener()
        try Stage.run(Self.setting([tcp.descriptor, unix]), in: directory) {
            try $0.reply(body: "x")
        } _: { stage throws in
            #expect(try ask(path).text == "x")
            for (fields, status) in [([], 401), (["x-api-key: \(Stage.token)"], 200)] {
                let caller = try RawClient(tcp: tcp.number)
                try caller.request("GET", "/v1/models", fields)
                #expect(try caller.answer().status == status)
            }
            #expect(TemporaryDirectory.mode(directory.path("run")) == nil)
            _ = try stage.daemon.stop()
            #expect(TemporaryDirectory.mode(path) != nil)
        }
    }

    @Test func `a caller that comes while nobody runs is served by the next process`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("systemd.sock")
        let unix = try FreePort.listener(unix: path)
        defer { close(unix) }
        for _ in 0..<3 {
            let early = try RawClient(unix: path)
            try early.request("GET", "/v1/models")
            try Stage.run(Self.setting([unix]), in: directory) {
                try $0.reply(body: "x")
            } _: { stage throws in
                #expect(try early.answer().text == "x")
                _ = try stage.daemon.stop()
            }
        }
    }

    @Test func `a broken configuration is answered 503 with the reason until a reload finds a good one`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("systemd.sock")
        let unix = try FreePort.listener(unix: path)
        defer { close(unix) }
        let upstream = try FakeUpstream { try $0.reply(body: "recovered") }
        var options = DaemonUnderTest.Options()
        options.socket = nil
        options.inherited = [unix]
        let daemon = try DaemonUnderTest(
            "listne = 1\n[[providers]]\nbase_url = \"\(upstream.baseURL)/v1\"\n", options, in: directory)
        let answer = try ask(path)
        #expect((answer.status, answer.problem) == (503, "configuration_broken"))
        #expect(answer.text.contains("config.toml:1:1"))
        try daemon.reload("[[providers]\n")
        #expect(try ask(path).status == 503)
        try daemon.reload(Stage.configuration(Stage.Setting(), upstream))
        #expect(try ask(path).text == "recovered")
        #expect(try daemon.stop() == .code(0))
        #expect(try daemon.rows().map(\.status) == [503, 503, 200])
        try upstream.stop()
    }

    @Test func `a broken configuration behind a TCP socket is answered too, and recovers`() throws {
        let directory = try TemporaryDirectory()
        let tcp = try FreePort.listener()
        let upstream = try FakeUpstream { try $0.reply() }
        var options = DaemonUnderTest.Options()
        options.socket = nil
        options.inherited = [tcp.descriptor]
        let token = "[auth]\ntoken = \"a-long-token\"\n"
        let daemon = try DaemonUnderTest(token + "[[providers]]\nbase_url = \"nonsense\"\n", options, in: directory)
        func ask(_ fields: [String] = []) throws -> Answer {
            let caller = try RawClient(tcp: tcp.number)
            try caller.request("GET", "/v1/models", fields)
            return try caller.answer()
        }
        let answer = try ask()
        #expect((answer.status, answer.problem) == (503, "configuration_broken"))
        #expect(!answer.text.contains("a-long-token"))
        // A good configuration without a token is none for TCP.
        try daemon.reload("[[providers]]\nbase_url = \"\(upstream.baseURL)/v1\"\n")
        #expect(try ask().status == 503)
        try daemon.reload(token + "[[providers]]\nbase_url = \"\(upstream.baseURL)/v1\"\n")
        #expect(try ask().status == 401)
        #expect(try ask(["x-api-key: a-long-token"]).status == 200)
        #expect(try daemon.stop() == .code(0))
        try upstream.stop()
    }

    @Test func `it exits when it is idle, and its socket stays`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("systemd.sock")
        let unix = try FreePort.listener(unix: path)
        defer { close(unix) }
        let setting = Self.setting([unix], "[server]\nidle_exit = \"300ms\"")
        try Stage.run(setting, in: directory) {
            try $0.reply(body: "x")
        } _: { stage throws in
            let caller = try RawClient(unix: path)
            try caller.request("GET", "/v1/models")
            #expect(try caller.answer().text == "x")
            caller.wire.close()
            #expect(try stage.daemon.process.wait() == .code(0))
            #expect(stage.daemon.log.contains("idle"))
        }
        #expect(TemporaryDirectory.mode(path) != nil)
    }

    @Test func `a descriptor that is no listening socket is left out`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("systemd.sock")
        let unix = try FreePort.listener(unix: path)
        let file = open("/dev/null", O_RDONLY | O_CLOEXEC)
        defer {
            close(unix)
            close(file)
        }
        try Stage.run(Self.setting([file, unix]), in: directory) {
            try $0.reply(body: "x")
        } _: { stage throws in
            #expect(try ask(path).text == "x")
            #expect(stage.daemon.log.contains("no listening stream socket"))
        }
    }
}
