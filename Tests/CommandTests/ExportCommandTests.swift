// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import Linux
import TestSupport
import Testing

/// `menshen export` and `menshen audit`, on the database of a daemon that runs or has run.
struct ExportCommandTests {
    private static func run(_ stage: Stage, _ arguments: String...) throws -> MenshenProgram.Result {
        try MenshenProgram.run(arguments + ["--config", stage.daemon.configurationPath], in: stage.directory)
    }

    /// What it says on stderr of where to go on.
    private static func place(_ result: MenshenProgram.Result) -> String? {
        result.error.split(separator: "\n").first { $0.hasPrefix("cursor ") }.map { String($0.dropFirst(7)) }
    }

    private static func lines(_ text: String) -> Int { text.split(separator: "\n").count }

    @Test func `records are exported while menshen runs and after, and a cursor goes on`() throws {
        try Stage.run(upstream: { try $0.reply(body: "{}") }) { stage throws in
            for _ in 0..<3 { #expect(try stage.ask().status == 200) }
            _ = try stage.records()
            let cursor = stage.directory.path("cursor")
            let first = try Self.run(stage, "export", "--cursor", cursor)
            #expect(first.exit == .code(0) && Self.lines(first.output) == 3, "\(first)")
            #expect(Self.place(first) == nil)
            #expect(first.output.contains(#""end_state":"complete""#))
            #expect(try Self.run(stage, "export", "--cursor", cursor).output == "")
            let csv = try Self.run(stage, "export", "--format", "csv", "--since", "1h")
            #expect(csv.exit == .code(0) && csv.output.hasPrefix("request_id,"))
            #expect(csv.output.split(separator: "\r\n").count == 4)
            let place = try #require(Self.place(csv))
            #expect(try Self.run(stage, "export", "--format", "csv", "--cursor", place).output == "")
            #expect(try Self.run(stage, "export", "--until", "1h").output == "")
            #expect(try Self.run(stage, "export", "--since", "soon").exit == .code(64))
            _ = try stage.directory.write("other", "no cursor\n")
            #expect(try Self.run(stage, "export", "--cursor", stage.directory.path("other")).exit == .code(65))
            #expect(try Self.run(stage, "export", "--database", "/nowhere/menshen.db").exit == .code(69))
            let schema = try Self.run(stage, "export", "--schema").output
            #expect(schema.contains(#"{"column":"cost","type":"string of int64""#))
        }
    }

    @Test func `followed, new records come until it is told to stop`() throws {
        try Stage.run(upstream: { try $0.reply(body: "{}") }) { stage throws in
            #expect(try stage.ask().status == 200)
            let output = stage.directory.path("followed")
            let child = try ChildProcess(
                [
                    MenshenProgram.path, "export", "--follow", "--cursor", stage.directory.path("cursor"), "--config",
                    stage.daemon.configurationPath,
                ], environment: MenshenProgram.environment(stage.directory), output: output, error: output + ".error")
            func wait(for count: Int) throws {
                for _ in 0..<2000 where Self.lines(TemporaryDirectory.read(output) ?? "") < count {
                    _ = try stage.ask("GET", "/_menshen/health")
                }
                #expect(Self.lines(TemporaryDirectory.read(output) ?? "") == count)
            }
            try wait(for: 1)
            #expect(try stage.ask().status == 200)
            try wait(for: 2)
            child.send(SIGINT)
            #expect(try child.wait() == .code(0))
            #expect(try stage.ask().status == 200)
            let rest = try Self.run(stage, "export", "--cursor", stage.directory.path("cursor"))
            #expect(Self.lines(rest.output) <= 1)
            _ = try stage.records()
            let end = try Self.run(stage, "export", "--cursor", stage.directory.path("cursor"))
            #expect(Self.lines(rest.output) + Self.lines(end.output) == 1)
        }
    }

    @Test func `a reader that leaves ends it quietly`() throws {
        try Stage.run(upstream: { try $0.reply(body: "{}") }) { stage throws in
            for _ in 0..<3 { #expect(try stage.ask().status == 200) }
            let output = stage.directory.path("piped")
            let command = "'\(MenshenProgram.path)' export --follow --config '\(stage.daemon.configurationPath)'"
            let child = try ChildProcess(
                ["/bin/bash", "-c", "set -o pipefail; \(command) | head -n 1"],
                environment: MenshenProgram.environment(stage.directory), output: output, error: output + ".error")
            for _ in 0..<2000 where !Self.hasEnded(child) { _ = try stage.ask() }
            #expect(try child.wait() == .code(0))
            #expect(Self.lines(TemporaryDirectory.read(output) ?? "") == 1)
        }
    }

    private static func hasEnded(_ child: ChildProcess) -> Bool { kill(child.pid, 0) != 0 }

    @Test func `verify says what is as it was, and names what is not`() throws {
        try Stage.run(upstream: { try $0.reply(body: "{}") }) { stage throws in
            for _ in 0..<3 { #expect(try stage.ask().status == 200) }
            let rows = try stage.records()
            let good = try Self.run(stage, "audit", "verify")
            #expect(good.exit == .code(0) && good.output.hasPrefix("As they were written: 3 rows, in "), "\(good)")
            let empty = stage.directory.path("journal")
            mkdir(empty, 0o700)
            let alone = try Self.run(stage, "audit", "verify", "--journal-directory", empty)
            #expect(alone.exit == .code(0) && alone.output.contains("Nothing was compared"), "\(alone)")
            let away = try Self.run(stage, "audit", "verify", "--journal-directory", empty + "/none")
            #expect(away.exit == .code(1) && away.output.contains("the journal can't be read"), "\(away)")
            let head = try Self.run(stage, "audit", "head").output.prefix { $0 != "\n" }
            #expect(try Self.run(stage, "audit", "verify", "--head", String(head)).exit == .code(0))
            #expect(try Self.run(stage, "audit", "verify", "--head", "1").exit == .code(64))
            try stage.daemon.change("UPDATE requests SET model = 'x' WHERE id = (SELECT max(id) FROM requests)")
            let bad = try Self.run(stage, "audit", "verify")
            #expect(bad.exit == .code(1) && bad.output.hasPrefix("changed    \(rows[2].textID) of "), "\(bad)")
            let json = try Self.run(stage, "audit", "verify", "--json")
            #expect(json.output.hasPrefix(#"{"finding":"changed","request_id":"\#(rows[2].textID)""#))
            #expect(json.output.contains(#"{"findings":1,"rows":2,"#))
        }
    }
}
