// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

/// Tokens and the page's password that stand in files and credentials, and every secret that is masked.
struct SecretPlaceTests {
    @Test func `a token and a password may stand in files of their own, and are read again by a reload`() throws {
        let directory = try TemporaryDirectory()
        try directory.write("token", "\u{FEFF}token-of-a-file\r\n")
        try directory.write("password", "open sesame")
        try directory.write("password", "open-sesame\n")
        var setting = Stage.Setting.with { $0.hasTCP = true }
        setting.authentication = "token_file = \"token\"\nuser = \"admin\"\npassword_file = \"password\""
        setting.tables =
            "[[auth.tokens]]\nname = \"ci\"\ntoken_file = \"\(try directory.write("ci", "token-of-ci-1"))\""
        try Stage.run(setting, in: directory) {
            try $0.reply()
        } _: { stage throws in
            func ask(_ token: String) throws -> Int {
                try stage.askTCP("GET", "/v1/models", ["x-api-key: \(token)"]).status
            }
            #expect(try ask("token-of-a-file") == 200)
            #expect(try ask("token-of-ci-1") == 200)
            #expect(try ask("other-token") == 401)
            // admin:open-sesame
            #expect(
                try stage.askTCP("GET", "/_menshen/status", ["Authorization: Basic YWRtaW46b3Blbi1zZXNhbWU="]).status
                    == 200)
            try directory.write("token", "another-token-1")
            try stage.daemon.reload()
            #expect(try ask("another-token-1") == 200)
            #expect(try ask("token-of-a-file") == 401)
            // What cannot be read changes nothing.
            try directory.write("token", "another-token-1", mode: 0o644)
            try stage.daemon.reload()
            #expect(stage.daemon.log.contains("auth.token_file: "))
            #expect(try ask("another-token-1") == 200)
        }
    }

    /// The provider repeats all it is sent; the caller puts each secret into path, model and body.
    @Test(arguments: [
        "key-of-the-provider", "value-of-a-header", "pass-of-a-proxy", "token-of-another", "word-of-the-page",
    ])
    func `no secret that menshen holds gets into a record, wherever a caller puts it`(secret: String) throws {
        var setting = Stage.Setting.with { $0.hasTCP = true }
        setting.key = "api_key = \"key-of-the-provider\""
        setting.provider = "headers = { X-Secret = \"${HEADER}\" }"
        setting.authentication =
            "token = \"\(Stage.token)\"\nuser = \"admin\"\npassword = \"word-of-the-page\"\n[[auth.tokens]]\nname = \"b\"\ntoken = \"token-of-another\""
        setting.tables = """
            [logging]
            log_request_body = true
            log_response_body = true
            [[providers]]
            name = "proxied"
            base_url = "http://127.0.0.1:1"
            proxy = "http://user:pass-of-a-proxy@127.0.0.1:1"
            """
        setting.daemon.environment = ["HEADER": "value-of-a-header"]
        try Stage.run(setting) {
            try $0.reply(
                200, ["Content-Type: application/json"], body: #"{"model":"\#(secret)","error":{"code":"\#(secret)"}}"#)
        } _: { stage throws in
            let answer = try stage.askTCP(
                "POST", "/openai/v1/\(secret)/chat/completions",
                ["x-api-key: \(Stage.token)", "Content-Type: application/json"],
                body: #"{"model":"\#(secret)","user":"\#(secret)","messages":[]}"#)
            #expect(answer.status == 200)
            _ = try stage.daemon.stop()
            for text in TemporaryDirectory.contents(stage.directory.path("state")) { #expect(!text.contains(secret)) }
            #expect(!stage.daemon.log.contains(secret))
        }
    }
}
