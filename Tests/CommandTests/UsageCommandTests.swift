// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import TestSupport
import Testing

/// `menshen usage`, `logs` and `show`, on the database of a daemon that runs. What many requests look like: Tests/e2e/reports.py.
struct UsageCommandTests {
    private static func run(_ stage: Stage, _ arguments: [String]) throws -> MenshenProgram.Result {
        try MenshenProgram.run(arguments + ["--config", stage.daemon.configurationPath], in: stage.directory)
    }

    /// Reports end with the second before this one, so a request that has just ended may be seen only by a later run.
    private static func report(
        _ stage: Stage, _ arguments: String..., until isSeen: (String) -> Bool
    ) throws -> String {
        var output = ""
        for _ in 0..<1000 {
            output = try MenshenProgram.run(
                ["usage"] + arguments + ["--config", stage.daemon.configurationPath], in: stage.directory
            ).output
            if isSeen(output) { break }
        }
        return output
    }

    @Test func `what finds nothing or would be too much is wrong usage, with what to say`() throws {
        try Stage.run(upstream: { try $0.reply(body: "{}") }) { stage throws in
            #expect(try stage.ask().status == 200)
            _ = try stage.records()
            let cases: [([String], String)] = [
                (["usage", "--by", "hour", "--since", "2020-01-01"], "--by day"),
                (["usage", "--by", "day", "--since", "2010-01-01", "--json"], "--by week"),
                (["usage", "--top", "3"], "--top is for groups"), (["usage", "--by", "week", "--top", "3"], "--since"),
                (["usage", "--blocks", "--top", "3"], "--top"), (["usage", "--budgets", "--top", "3"], "--top"),
                (["usage", "--budgets", "--model", "x"], "no filter"),
                (["usage", "--budgets", "--since", "1d"], "no time"),
                (["usage", "--status", "4x"], "4xx"), (["logs", "--status", "429,430"], "429"),
                (["logs", "--end", "failde"], "'failed'"), (["show", ""], "'menshen logs'"),
            ]
            for (arguments, part) in cases {
                let result = try MenshenProgram.run(
                    arguments + ["--config", stage.daemon.configurationPath], in: stage.directory)
                #expect(result.exit == .code(64) && result.output == "", "\(arguments)")
                #expect(result.error.contains(part), "\(arguments): \(result.error)")
            }
            for arguments in [["--by", "week", "--since", "2020-01-01"], ["--status", "2*", "--status", "-"]] {
                let result = try MenshenProgram.run(
                    ["usage"] + arguments + ["--config", stage.daemon.configurationPath], in: stage.directory)
                #expect(result.exit == .code(0), "\(result.error)")
            }
        }
    }

    @Test func `a database that is not in use at present is told beside sums until now`() throws {
        try Stage.run(upstream: { try $0.reply(body: "{}") }) { stage throws in
            #expect(try stage.ask().status == 200)
            let words = ["--width", "120", "--socket", stage.daemon.socketPath]
            #expect(try !Self.run(stage, ["usage"] + words).output.contains("missing"))
            try stage.daemon.whileLocked {
                // It notices with the next record, a moment after the answer.
                _ = try stage.ask()
                for more in [[], ["--by", "model"]] {
                    var output = ""
                    for _ in 0..<1000 where !output.contains("missing") {
                        output = try Self.run(stage, ["usage"] + more + words).output
                    }
                    #expect(
                        output.contains("! requests are missing at present: the database is not in use"), "\(output)")
                }
                let past = try Self.run(stage, ["usage", "--since", "7d", "--until", "yesterday"] + words)
                #expect(!past.output.contains("missing"))
            }
        }
    }

    @Test func `a configuration that was named and can't be read is a fault, with why`() throws {
        let directory = try TemporaryDirectory()
        for (name, part) in [("none.toml", "No such file"), ("", "Is a directory")] {
            let result = try MenshenProgram.run(["usage", "--config", directory.path(name)], in: directory)
            #expect(result.exit == .code(78) && result.error.contains(part), "\(result.error)")
        }
    }

    @Test func `values of one filter are alternatives`() throws {
        try Stage.run(upstream: { call throws in
            try call.reply(call.request.target.hasSuffix("/broken") ? 500 : 200)
        }) { stage throws in
            #expect(try stage.ask().status == 200)
            #expect(try stage.ask("GET", "/v1/models/broken").status == 500)
            _ = try stage.records()
            func count(_ arguments: String...) throws -> Int {
                let result = try MenshenProgram.run(
                    ["logs", "--json"] + arguments + ["--config", stage.daemon.configurationPath], in: stage.directory)
                return result.output.split(separator: "\n").count
            }
            #expect(try count() == 2 && count("--end", "failed") == 1)
            #expect(try count("--end", "failed", "--end", "open") == 1)
            #expect(try count("--end", "failed", "--end", "complete") == 2)
            #expect(try count("--status", "200", "--status", "5xx") == 2 && count("--status", "4xx") == 0)
            #expect(try count("--program", "-", "--program", "/no/such") == 2)
            #expect(try count("--program", "no-such", "--program", "/*") == 2)
            #expect(try count("--program", "no-such", "--program", "/no/such") == 0)
            let windows = try Self.report(stage, "--blocks", "--end", "failed", "--end", "complete", "--json") {
                $0.contains("\"requests\":2,")
            }
            #expect(windows.contains("\"is_current\":true,") && windows.contains("\"requests\":2,"))
        }
    }

    @Test func `CSV has its head without rows, and each line ends as the others`() throws {
        try Stage.run(upstream: { try $0.reply(body: "{}") }) { stage throws in
            #expect(try stage.ask().status == 200)
            _ = try stage.records()
            let none = try Self.run(stage, ["usage", "--csv", "--by", "model", "--model", "none such"]).output
            let some = try Self.report(stage, "--csv", "--by", "model") { $0.unicodeScalars.count { $0 == "\n" } > 1 }
            #expect(none.hasPrefix("model,requests,") && none.hasSuffix("ttfb_us_p99\r\n"))
            #expect(some.hasPrefix(none) && some.hasSuffix("\r\n"))
            #expect(some.split(separator: "\r\n").count == 2, "\(some)")
            #expect(some.unicodeScalars.count { $0 == "\n" } == 2)
            for report in [["--blocks"], ["--unpriced"], [], ["--sessions"]] {
                let result = try MenshenProgram.run(
                    ["usage", "--csv", "--model", "none such"] + report + ["--config", stage.daemon.configurationPath],
                    in: stage.directory)
                #expect(result.output.contains(",requests,") && result.output.hasSuffix("\r\n"), "\(report)")
            }
        }
    }
}
