// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

struct ReloadTests {
    @Test func `a reload brings the new key and leaves open connections alone`() throws {
        var setting = Stage.Setting()
        try Stage.run(setting) {
            try $0.reply(body: $0.request["Authorization"] ?? "")
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("GET", "/v1/models")
            #expect(try caller.answer().text == "Bearer \(Stage.key)")
            setting.key = "api_key = \"sk-second\""
            try stage.daemon.reload(Stage.configuration(setting, stage.upstream))
            try caller.request("GET", "/v1/models")
            #expect(try caller.answer().text == "Bearer sk-second")
            #expect(stage.daemon.log.contains("Reloaded"))
        }
    }

    @Test func `a request under way keeps the configuration it began with`() throws {
        let begun = try Signal()
        let go = try Signal()
        try Stage.run { call in
            begun.raise()
            try go.wait()
            try call.reply(body: call.request["Authorization"] ?? "")
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.request("GET", "/v1/models")
            try begun.wait()
            let other = try FakeUpstream { try $0.reply(body: "other") }
            try stage.daemon.reload(Stage.configuration(Stage.Setting(), other))
            go.raise()
            #expect(try caller.answer().text == "Bearer \(Stage.key)")
            #expect(try stage.ask().text == "other")
            try other.stop()
        }
    }

    @Test(arguments: [
        "nonsense = 1\n[[providers]]\n", "[[providers]\nbase_url = 1", "",
        "listen = \":99999\"\n[[providers]]\nbase_url = \"http://127.0.0.1:1\"",
    ])
    func `a faulty new configuration leaves the old one in force`(text: String) throws {
        try Stage.run {
            try $0.reply(body: "old")
        } _: { stage throws in
            try stage.daemon.reload(text)
            #expect(try stage.ask().text == "old")
            #expect(stage.daemon.log.contains("The new configuration is not used"))
        }
    }

    @Test func `a reload cannot take authentication from a TCP listener it would not start with`() throws {
        var setting = Stage.Setting.with { $0.hasTCP = true }
        try Stage.run(setting) {
            try $0.reply()
        } _: { stage throws in
            setting.authentication = ""
            try stage.daemon.reload(Stage.configuration(setting, stage.upstream))
            #expect(stage.daemon.log.contains("The new configuration is not used"))
            #expect(try stage.askTCP("GET", "/v1/models", []).status == 401)
            #expect(try stage.askTCP().status == 200)
        }
    }

    @Test func `a new token counts from the next request on`() throws {
        var setting = Stage.Setting.with { $0.hasTCP = true }
        try Stage.run(setting) {
            try $0.reply()
        } _: { stage throws in
            let caller = try stage.tcpCaller()
            try caller.request("GET", "/v1/models", ["x-api-key: \(Stage.token)"])
            #expect(try caller.answer().status == 200)
            setting.authentication = "token = \"another-token\""
            try stage.daemon.reload(Stage.configuration(setting, stage.upstream))
            try caller.request("GET", "/v1/models", ["x-api-key: \(Stage.token)"])
            #expect(try caller.answer().status == 401)
            try caller.request("GET", "/v1/models", ["x-api-key: another-token"])
            #expect(try caller.answer().status == 200)
        }
    }
}
