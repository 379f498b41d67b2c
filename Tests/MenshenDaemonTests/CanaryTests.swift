// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

/// A marked key goes through every path; then everything that menshen wrote or shows is searched for it.
struct CanaryTests {
    private static let canary = "canary-5a1e7c90d2"

    @Test(arguments: ["inline", "file", "command"])
    func `the key is nowhere but upstream`(source: String) throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write("key", Self.canary)
        let key =
            switch source {
            case "file": "api_key_file = \"\(file)\""
            case "command": "api_key_command = [\"/bin/cat\", \"\(file)\"]"
            default: "api_key = \"${CANARY_VARIABLE}\""
            }
        let setting = Stage.Setting.with {
            $0.key = key
            $0.hasTCP = true
            $0.daemon.environment = ["CANARY_VARIABLE": source == "inline" ? Self.canary : "unused"]
            $0.tables = """
                [upstream]
                first_byte_timeout = "200ms"
                connect_timeout = "200ms"
                [logging]
                log_request_body = true
                log_response_body = true
                """
        }
        var shown: [String] = []
        try Stage.run(setting, in: directory) { call in
            switch call.request.target {
            case "/v1/hang": try call.waitForEnd()
            case "/v1/reset": call.reset()
            case "/v1/echo": try call.reply(401, body: "bad key \(call.request["Authorization"] ?? "")")
            case "/v1/garbage":
                try call.send("\(Self.canary) is no HTTP\r\n\r\n")
                call.close()
            default: try call.reply()
            }
        } _: { stage throws in
            for path in ["/v1/models", "/v1/hang", "/v1/reset", "/v1/garbage", "/v1/../x", "/", "/_menshen/status"] {
                let answer = try stage.ask("GET", path)
                shown.append(answer.head.text + answer.text)
            }
            // What the provider says is the caller's to read; the record of it is masked.
            #expect(try stage.ask("GET", "/v1/echo").text.contains(Self.canary))
            #expect(stage.upstream.requests.allSatisfy { $0["Authorization"] == "Bearer \(Self.canary)" })
            shown.append(try stage.askTCP("GET", "/v1/models", []).text)
            try stage.daemon.reload("broken = \"${CANARY_VARIABLE}\"\n")
            shown.append(TemporaryDirectory.read("/proc/\(stage.daemon.process.pid)/cmdline") ?? "")
            if source != "inline" {
                shown.append(TemporaryDirectory.read("/proc/\(stage.daemon.process.pid)/environ") ?? "")
            }
            shown += TemporaryDirectory.contents(directory.path("state"))
            _ = try stage.daemon.stop()
            shown += TemporaryDirectory.contents(directory.path("state"))
            shown += [stage.daemon.log, TemporaryDirectory.read(directory.path("stdout")) ?? ""]
        }
        #expect(shown.count > 12)
        for text in shown { #expect(!text.contains(Self.canary)) }
    }
}
