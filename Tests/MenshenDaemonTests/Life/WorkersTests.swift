// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

/// Several event loops behind one set of sockets, and the watchdog that hears from each of them.
struct WorkersTests {
    private static let three = Stage.Setting.with {
        $0.hasTCP = true
        $0.tables = "[server]\nworkers = 3"
    }

    @Test func `three workers share the sockets, a reload and the end`() throws {
        var setting = Self.three
        try Stage.run(setting) {
            try $0.reply(body: $0.request["Authorization"] ?? "")
        } _: { stage throws in
            func askAll(_ expected: String) throws {
                let callers = try (0..<24).map { try $0 % 2 == 0 ? stage.caller() : stage.tcpCaller() }
                for caller in callers {
                    try caller.request("GET", "/v1/models", ["Authorization: Bearer \(Stage.token)"])
                }
                for caller in callers { #expect(try caller.answer().text == "Bearer \(expected)") }
            }
            try askAll(Stage.key)
            setting.key = "api_key = \"sk-second\""
            try stage.daemon.reload(Stage.configuration(setting, stage.upstream))
            try askAll("sk-second")
            let rows = try stage.records()
            #expect(rows.count == 48 && Set(rows.map(\.textID)).count == 48)
            #expect(rows.allSatisfy { $0.endState == "complete" })
        }
    }

    @Test func `the watchdog is fed once every worker has answered`() throws {
        var setting = Self.three
        // 0.1 s between two pings.
        setting.daemon.environment["WATCHDOG_USEC"] = "200000"
        try Stage.run(setting) {
            try $0.reply(body: "well")
        } _: { stage throws in
            try stage.daemon.waitFor("WATCHDOG=1")
            #expect(try stage.ask().text == "well")
            try stage.daemon.waitFor("WATCHDOG=1")
        }
    }

    @Test func `a drain longer than the unit's time is asked for`() throws {
        try Stage.run(.with { $0.tables = "[server]\ndrain_timeout = \"90s\"" }) {
            try $0.reply(body: "")
        } _: { stage throws in
            stage.daemon.process.send(15)
            try stage.daemon.waitFor("EXTEND_TIMEOUT_USEC=105000000")
        }
    }

    @Test func `there is room for every descriptor before the first caller comes`() throws {
        try Stage.run(.with { $0.tables = "[server]\nmax_connections = 400" }) { _ in
        } _: { stage throws in
            let status = try #require(TemporaryDirectory.read("/proc/\(stage.daemon.process.pid)/status"))
            let size = try #require(status.split(separator: "\n").first { $0.hasPrefix("FDSize:") })
            #expect(Int(size.split(separator: "\t")[1]) ?? 0 >= 800)
        }
    }
}
