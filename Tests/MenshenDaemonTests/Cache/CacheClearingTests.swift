// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
import SQLite
import TestSupport
import Testing

/// Stored answers are thrown away by whoever may administer, and that is recorded.
struct CacheClearingTests {
    private static let page = "/_menshen/admin/cache"
    private static let clear = #"{"act":"clear"}"#

    private static func setting(_ tables: String) -> Stage.Setting {
        .with {
            $0.hasTCP = true
            $0.tables = tables
        }
    }

    private func ask(_ stage: Stage, _ name: String) throws -> String? {
        let body = #"{"model":"m","messages":[{"role":"user","content":"\#(name)"}]}"#
        return try stage.ask("POST", "/v1/chat/completions", ["Content-Type: application/json"], body: body)["X-Cache"]
    }

    @Test func `what was stored is gone, it is said how much that was, and recorded who did it`() throws {
        let directory = try TemporaryDirectory()
        try Stage.run(Self.setting("[cache]\nenable = true\nmax_age = \"1h\""), in: directory) { call in
            let answer = #"{"choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}"#
            try call.reply(200, ["Content-Type: application/json"], body: answer)
        } _: { stage throws in
            for name in ["a", "b"] { #expect(try ask(stage, name) == "MISS") }
            #expect(try ask(stage, "a") == "HIT")
            #expect(try stage.askTCP("POST", Self.page, body: Self.clear).status == 404)
            #expect(
                try stage.ask("POST", Self.page, ["Authorization: Bearer \(Stage.token)"], body: Self.clear).status
                    == 403)
            #expect(try stage.ask("POST", Self.page, ["Origin: http://a.example"], body: Self.clear).status == 403)
            for body in ["", "{}", #"{"act":"fill"}"#, #"{"act":"clear","name":"a"}"#] {
                #expect(try stage.ask("POST", Self.page, body: body).status == 400, "\(body)")
            }
            #expect(try stage.ask("GET", Self.page).status == 405)
            #expect(try ask(stage, "a") == "HIT")
            let answer = try stage.ask("POST", Self.page, body: Self.clear)
            #expect((answer.status, answer.text) == (200, "{\"cleared\":2}\n"))
            for name in ["a", "b"] { #expect(try ask(stage, name) == "MISS") }
            #expect(try stage.ask("POST", Self.page, body: Self.clear).text == "{\"cleared\":2}\n")
            #expect(stage.daemon.log.contains("cache clear '2 answers' by uid \(getuid())"))
        }
        let rows = try Connection(path: directory.path("state/menshen/access.db"), .readOnly, busyMilliseconds: 1000)
        let act = "cache clear 2 answers \(getuid()) done"
        #expect(
            try rows.text("SELECT group_concat(act || ' ' || target || ' ' || uid || ' ' || outcome) FROM admin")
                == "\(act),\(act)")
    }

    @Test func `without a cache it says how one is had`() throws {
        try Stage.run(Self.setting("")) {
            try $0.reply()
        } _: { stage throws in
            let answer = try stage.ask("POST", Self.page, body: Self.clear)
            #expect(answer.status == 409 && answer.text.contains("cache.enable"))
            #expect(!stage.daemon.log.contains("cache clear"))
        }
    }
}
