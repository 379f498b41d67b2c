// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

struct KeyProgramTests {
    private static func setting(_ script: String, _ further: String = "") -> Stage.Setting {
        .with {
            $0.key = "api_key_command = [\"/bin/sh\", \"-c\", '''\(script)''']\n\(further)"
            $0.daemon.environment = ["SECRET_OF_OURS": "x", "PASSWORD_STORE_DIR": "/store"]
        }
    }

    @Test func `a command gives the key once for many requests`() throws {
        let directory = try TemporaryDirectory()
        let runs = directory.path("runs")
        try Stage.run(Self.setting("echo run >> \(runs); echo command-key"), in: directory) {
            try $0.reply(body: $0.request["Authorization"] ?? "")
        } _: { stage throws in
            let callers = try (0..<8).map { _ in
                let caller = try stage.caller()
                try caller.request("GET", "/v1/models")
                return caller
            }
            for caller in callers { #expect(try caller.answer().text == "Bearer command-key") }
            #expect(TemporaryDirectory.read(runs) == "run\n")
        }
    }

    @Test func `a command inherits nothing but its own three streams and a short list of variables`() throws {
        let directory = try TemporaryDirectory()
        let (files, variables) = (directory.path("fds"), directory.path("env"))
        var setting = Self.setting("ls -l /proc/self/fd > \(files); env > \(variables); echo k")
        let listener = try FreePort.listener()
        setting.daemon.inherited = [listener.descriptor]
        try Stage.run(setting, in: directory) {
            try $0.reply()
        } _: { stage throws in
            #expect(try stage.ask().status == 200)
            let open = (TemporaryDirectory.read(files) ?? "").split(separator: "\n").filter { $0.contains("->") }
            // ls itself has the directory open.
            let foreign = open.filter {
                !$0.contains("/proc/") && !$0.contains(" 0 ->") && !$0.contains(" 1 ->") && !$0.contains(" 2 ->")
            }
            #expect(foreign.isEmpty)
            #expect(open.count == 4)
            let environment = TemporaryDirectory.read(variables) ?? ""
            for name in ["LISTEN_", "NOTIFY_SOCKET", "WATCHDOG", "SECRET_OF_OURS", "JOURNAL_STREAM"] {
                #expect(!environment.contains(name), "\(name)")
            }
            #expect(environment.contains("PASSWORD_STORE_DIR=/store"))
            #expect(environment.contains("HOME=\(directory.path)"))
        }
    }

    @Test(arguments: [
        ("echo half-a-secret; exit 3", "exited(3)"), ("set -x; : half-a-secret; exit 4", "exited(4)"),
        ("true", "is empty"),
        ("echo one; echo two", "has several lines"), ("kill -9 $$", "failed"),
    ])
    func `a command that gives no key is a 503 with the reason and not with its output`(script: String, reason: String)
        throws
    {
        try Stage.run(Self.setting(script)) {
            try $0.reply()
        } _: { stage throws in
            let answer = try stage.ask()
            #expect((answer.status, answer.problem) == (503, "key_unavailable"))
            #expect(answer.text.contains(reason))
            #expect(!answer.text.contains("half-a-secret") && !stage.daemon.log.contains("half-a-secret"))
            #expect(stage.upstream.connections == 0)
        }
    }

    @Test func `a program that is not there is a 503`() throws {
        try Stage.run(.with { $0.key = "api_key_command = [\"/no/such/program\"]" }) {
            try $0.reply()
        } _: { stage throws in
            let answer = try stage.ask()
            #expect((answer.status, answer.problem) == (503, "key_unavailable"))
            #expect(answer.text.contains("/no/such/program"))
        }
    }

    @Test func `after its time the command runs again, and the old key serves meanwhile`() throws {
        let directory = try TemporaryDirectory()
        let script = "n=$(cat \(directory.path("n"))); n=$((n+1)); echo $n > \(directory.path("n")); echo key-$n"
        try directory.write("n", "0")
        try Stage.run(Self.setting(script, "api_key_command_ttl = \"1ms\""), in: directory) {
            try $0.reply(body: $0.request["Authorization"] ?? "")
        } _: { stage throws in
            #expect(try stage.ask().text == "Bearer key-1")
            var answer = ""
            for _ in 0..<1000 where answer != "Bearer key-2" {
                answer = try stage.ask().text
                #expect(answer.hasPrefix("Bearer key-"))
            }
            #expect(answer == "Bearer key-2" || answer == "Bearer key-3")
        }
    }

    @Test func `signals work as ever after a command has run`() throws {
        let go = try Signal()
        try Stage.run(Self.setting("echo k")) { call in
            if call.request.target == "/v1/slow" { try go.wait() }
            try call.reply(body: "whole")
        } _: { stage throws in
            #expect(try stage.ask().status == 200)
            for _ in 0..<5 { try stage.daemon.reload() }
            #expect(try stage.ask().status == 200)
            let caller = try stage.caller()
            try caller.request("GET", "/v1/slow")
            try stage.daemon.beginStop()
            go.raise()
            #expect(try caller.answer().text == "whole")
            #expect(try stage.daemon.process.wait() == .code(0))
        }
    }

    @Test func `a caller that leaves while the command runs is forgotten`() throws {
        let directory = try TemporaryDirectory()
        let script = "while [ ! -e \(directory.path("go")) ]; do sleep 0.05; done; echo k"
        try Stage.run(Self.setting(script), in: directory) {
            try $0.reply()
        } _: { stage throws in
            let leaving = try stage.caller()
            try leaving.request("GET", "/v1/leaving")
            leaving.wire.close()
            let staying = try stage.caller()
            try staying.request("GET", "/v1/staying")
            try directory.write("go", "")
            #expect(try staying.answer().status == 200)
            #expect(stage.upstream.requests.map(\.target) == ["/v1/staying"])
            #expect(try stage.records().map(\.endState).sorted() == ["client_gone", "complete"])
        }
    }
}
