// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Synchronization
import TestSupport
import Testing

/// Providers and keys that are left alone for a while.
struct PauseTests {
    private static let path = "/v1/chat/completions"
    private static let body = #"{"model":"m"}"#

    private static func setting(_ names: [String], _ more: String = "", _ tables: String = "") -> Stage.Setting {
        .with {
            $0.providers = names.map { Stage.provider($0, leads: $0 == "a", more) }
            $0.tables = tables
        }
    }

    private func ask(_ stage: Stage, _ model: String = "m") throws -> Answer {
        try stage.ask("POST", Self.path, body: "{\"model\":\"\(model)\"}")
    }

    @Test(arguments: ["Retry-After: 30", "retry-after-ms: 30000", "Retry-After: Fri, 31 Dec 2100 23:59:59 GMT"])
    func `a provider that says when to come back is believed, for that model`(field: String) throws {
        try Stage.run(Self.setting(["a"])) { call in
            if call.request.text.contains("other") { return try call.reply() }
            try call.reply(429, [field], body: "slow down")
        } _: { stage throws in
            let first = try ask(stage)
            #expect((first.status, first.text) == (429, "slow down"))
            for _ in 0..<2 {
                let answer = try ask(stage)
                #expect((answer.status, answer.problem) == (429, "provider_paused"))
                #expect(answer["x-should-retry"] == "true")
                let seconds = Int(answer["Retry-After"] ?? "") ?? 0
                #expect(seconds > 25 && seconds <= 3600)
            }
            #expect(try ask(stage, "other").status == 200)
            // What failed is forgiven by a reload, what was asked for is not.
            try stage.daemon.reload()
            #expect(try ask(stage).problem == "provider_paused")
            #expect(stage.upstream.requests.count == 2)
            let rows = try stage.records()
            #expect(rows[0].attempts == ["a 429 rate_limited"] && rows[1].attempts.isEmpty)
            #expect((rows[1].endState, rows[1].status) == ("refused", 429))
        }
    }

    @Test func `with both switches off every request is sent, and every error is the provider's own`() throws {
        try Stage.run(
            .with { $0.tables = "[failover]\nbreaker_failures = 0\nobey_retry_after = false" }
        ) {
            try $0.reply(429, ["Retry-After: 60"], body: "slow down")
        } _: { stage throws in
            for _ in 0..<8 {
                let answer = try ask(stage)
                #expect((answer.status, answer.text, answer["Retry-After"]) == (429, "slow down", "60"))
            }
            #expect(stage.upstream.requests.count == 8)
        }
    }

    @Test func `while one is paused the others are asked first`() throws {
        try Stage.run(Self.setting(["a", "b"])) { call in
            if call.provider == "a" { return try call.reply(503, ["Retry-After: 60"]) }
            try call.reply(body: "well")
        } _: { stage throws in
            for _ in 0..<3 { #expect(try ask(stage).text == "well") }
            #expect(stage.upstream.requests.map(\.provider) == ["a", "b", "b", "b"])
        }
    }

    @Test func `where nobody else may be asked no request is refused for the failures of earlier ones`() throws {
        try Stage.run(Self.setting(["a"], "", "[failover]\nbreaker_failures = 1\nbreaker_pause = \"60s\"")) {
            try $0.reply(500, body: "broken")
        } _: { stage throws in
            for _ in 0..<6 { #expect(try ask(stage).text == "broken") }
            #expect(stage.upstream.requests.count == 6)
        }
    }

    @Test func `a reload forgives failures`() throws {
        try Stage.run(Self.setting(["a", "b"], "", "[failover]\nbreaker_failures = 1\nbreaker_pause = \"60s\"")) {
            if $0.provider == "b" { return try $0.reply(body: "b") }
            try $0.reply(500, body: "broken")
        } _: { stage throws in
            for _ in 0..<3 { #expect(try ask(stage).text == "b") }
            try stage.daemon.reload()
            #expect(try ask(stage).text == "b")
            #expect(stage.upstream.requests.map(\.provider) == ["a", "b", "b", "b", "a", "b"])
        }
    }

    @Test func `failures that one caller's requests draw leave the provider to the others`() throws {
        var setting = Self.setting(["a", "b"], "", "[failover]\nbreaker_failures = 2\nbreaker_pause = \"60s\"")
        setting.hasTCP = true
        for name in ["x", "y"] {
            setting.tables += "\n[[auth.tokens]]\nname = \"\(name)\"\ntoken = \"token-of-\(name)-1\""
        }
        try Stage.run(setting) { call in
            if call.provider == "a", call.request.text.contains("poison") { return try call.reply(500) }
            try call.reply(body: call.provider)
        } _: { stage throws in
            func ask(_ token: String, _ model: String) throws -> String {
                try stage.askTCP(
                    "POST", Self.path, ["x-api-key: token-of-\(token)-1", "Content-Type: application/json"],
                    body: "{\"model\":\"\(model)\"}"
                ).text
            }
            for _ in 0..<6 { #expect(try ask("x", "poison") == "b") }
            #expect(stage.upstream.requests.filter { $0.provider == "a" }.count == 2)
            #expect(try ask("x", "m") == "b")
            for _ in 0..<3 { #expect(try ask("y", "m") == "a") }
        }
    }

    @Test func `a 408 for a body that its caller does not send says nothing of the provider`() throws {
        let size = 3 << 20
        var setting = Self.setting(["a", "b"], "", "[failover]\nbreaker_failures = 1\nbreaker_pause = \"60s\"")
        setting.readsBody = false
        try Stage.run(setting) { call in
            if call.request["Content-Length"] == "\(size)" {
                try call.reply(408, ["Connection: close"], body: "late")
                return call.close()
            }
            try call.readBody()
            try call.reply(body: call.provider)
        } _: { stage throws in
            for _ in 0..<2 {
                let caller = try stage.caller()
                try caller.send(
                    "POST \(Self.path) HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(size)\r\n\r\n"
                        + String(repeating: " ", count: 128 << 10))
                #expect(try caller.answer(to: "POST").text == "late")
            }
            #expect(try ask(stage).text == "a")
        }
    }

    // MARK: Keys

    private static let pool = "api_keys = [\"k1\", \"k2\", \"k3\"]"

    @Test func `a limited key gives way to the next, and requests stay with that one`() throws {
        try Stage.run(Self.setting(["a"], Self.pool)) { call in
            let key = call.request["Authorization"] ?? ""
            if key == "Bearer k1" { return try call.reply(429, ["Retry-After: 60"]) }
            try call.reply(body: key)
        } _: { stage throws in
            for _ in 0..<3 { #expect(try ask(stage).text == "Bearer k2") }
            #expect(stage.upstream.requests.count == 4)
            let rows = try stage.records()
            #expect(rows[0].attempts == ["a 429 rate_limited", "a 200 ok"] && rows[0].asked == ["1 -", "2 -"])
            #expect(rows[1].asked == ["2 -"])
        }
    }

    @Test func `a fault of the provider's own changes no key`() throws {
        try Stage.run(Self.setting(["a"], Self.pool)) {
            try $0.reply(500, body: "broken")
        } _: { stage throws in
            for _ in 0..<2 { #expect(try ask(stage).text == "broken") }
            #expect(stage.upstream.requests.map { $0["Authorization"] } == ["Bearer k1", "Bearer k1"])
        }
    }

    @Test func `if every key is limited the last answer passes, and another provider is asked before that`() throws {
        try Stage.run(Self.setting(["a", "b"], Self.pool)) {
            try $0.reply(429, [], body: $0.provider + ($0.request["Authorization"] ?? ""))
        } _: { stage throws in
            let answer = try ask(stage)
            #expect((answer.status, answer.text) == (429, "bBearer k3"))
            #expect(try stage.records().first?.asked == ["1 -", "2 -", "3 -", "1 -", "2 -", "3 -"])
        }
    }

    @Test func `a refused key's file is read once more`() throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write("key", "old")
        let keys = Atomic(0)
        try Stage.run(Self.setting(["a"], "api_key_file = \"\(file)\""), in: directory) { call in
            guard call.request["Authorization"] == "Bearer old" else { return try call.reply(body: "well") }
            // Rotated while the request was under way.
            if keys.add(1, ordering: .relaxed).oldValue == 1 { try directory.write("key", "new") }
            try call.reply(401, body: "refused")
        } _: { stage throws in
            let refused = try ask(stage)
            #expect((refused.status, refused.text) == (401, "refused"))
            #expect(try ask(stage).text == "well")
            #expect(stage.upstream.requests.map { $0["Authorization"] } == ["Bearer old", "Bearer old", "Bearer new"])
            let rows = try stage.records()
            #expect(rows.map(\.attempts) == [["a 401 unauthorized"], ["a 401 unauthorized", "a 200 ok"]])
        }
    }

    @Test func `a key command that has just run is not run again for each refusal`() throws {
        let directory = try TemporaryDirectory()
        let script = "echo x >> \(directory.path("runs")); echo key"
        try Stage.run(Self.setting(["a"], "api_key_command = [\"/bin/sh\", \"-c\", \"\(script)\"]"), in: directory) {
            try $0.reply(401, body: "refused")
        } _: { stage throws in
            for _ in 0..<5 { #expect(try ask(stage).text == "refused") }
            #expect(TemporaryDirectory.read(directory.path("runs")) == "x\n")
            #expect(stage.upstream.requests.count == 5)
        }
    }
}
