// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

@testable import MenshenDaemon

@Suite struct SignInsTests {
    private static let second: UInt64 = 1_000_000
    private static let start: UInt64 = 1_000_000_000_000

    private func fail(_ signIns: SignIns, _ address: String, at now: UInt64) -> SignIns.Outcome {
        judge(signIns, address, at: now, isRight: false)
    }

    /// As access does it: by the caller's host.
    private func judge(_ signIns: SignIns, _ address: String, at now: UInt64, isRight: Bool) -> SignIns.Outcome {
        let caller = CallerRecord(uid: nil, pid: nil, executable: nil, unit: nil, address: address)
        return signIns.judge(from: caller.host, now: now, isRight: isRight)
    }

    @Test func `after five wrong ones in a row each further one doubles the wait, up to a minute`() {
        let signIns = SignIns()
        var now = Self.start
        for port in 1...5 { #expect(fail(signIns, "10.0.0.1:\(port)", at: now) == .wrong) }
        for wait: UInt64 in [1, 2, 4, 8, 16, 32, 60, 60] {
            // Not even the right one counts.
            #expect(judge(signIns, "10.0.0.1:9", at: now, isRight: true) == .tooOften(wait))
            #expect(fail(signIns, "10.0.0.1:9", at: now + wait * Self.second - 1) == .tooOften(1))
            now += wait * Self.second
            #expect(fail(signIns, "10.0.0.1:9", at: now) == .wrong)
        }
    }

    @Test func `the right one in time begins anew, and so does a quarter of an hour`() {
        let signIns = SignIns()
        for pause in [0, 16 * 60 * Self.second] {
            for _ in 1...4 { #expect(fail(signIns, "[::1]:1", at: Self.start) == .wrong) }
            if pause == 0 { #expect(judge(signIns, "[::1]:2", at: Self.start, isRight: true) == .right) }
            for _ in 1...4 { #expect(fail(signIns, "[::1]:3", at: Self.start + pause) == .wrong) }
            #expect(judge(signIns, "[::1]:2", at: Self.start + pause, isRight: true) == .right)
        }
    }

    @Test func `one address does not make another wait, and the oldest goes when there are too many`() {
        let signIns = SignIns()
        for _ in 1...5 { _ = fail(signIns, "10.0.0.1:1", at: Self.start) }
        #expect(fail(signIns, "10.0.0.1:1", at: Self.start) == .tooOften(1))
        #expect(judge(signIns, "10.0.0.2:1", at: Self.start, isRight: true) == .right)
        for index in 0..<SignIns.capacity {
            _ = fail(signIns, "10.1.\(index / 256).\(index % 256):1", at: Self.start + 1)
        }
        #expect(fail(signIns, "10.0.0.1:1", at: Self.start + 1) == .wrong)
    }

    @Test func `a door that waits says for how long, over TCP and to nobody on the Unix socket`() throws {
        var configuration = Configuration()
        configuration.server.allowedHosts = ["a"]
        configuration.authentication.user = "admin"
        configuration.authentication.password = Secret("open sesame")
        let scene = try WorkerScene(configuration)
        // admin:wrong and admin:open sesame
        let (wrong, right) = ("YWRtaW46d3Jvbmc=", "YWRtaW46b3BlbiBzZXNhbWU=")
        func ask(_ credentials: String?, isTCP: Bool = true, _ path: String = "/_menshen/status") throws -> String {
            let caller = try scene.call(isTCP: isTCP)
            let fields = ["Accept: text/html"] + (credentials.map { ["Authorization: Basic \($0)"] } ?? [])
            try caller.ask("GET", path, ["Connection: close"] + fields)
            return try scene.answer(to: caller)
        }
        for _ in 1...5 { #expect(try ask(wrong).hasPrefix("HTTP/1.1 401 ")) }
        let refused = try ask(right)
        #expect(refused.hasPrefix("HTTP/1.1 429 ") && refused.contains("Retry-After: 1\r\n"))
        #expect(refused.contains("Too many wrong passwords") && refused.contains("menshen dashboard"))
        // Who shows none, and what needs none, does not wait; nor does the owner.
        #expect(try ask(nil).hasPrefix("HTTP/1.1 401 "))
        #expect(try ask(nil, "/_menshen/health").hasPrefix("HTTP/1.1 200 "))
        for _ in 1...6 { #expect(try ask(wrong, isTCP: false).hasPrefix("HTTP/1.1 200 ")) }
        try scene.pass(1)
        #expect(try ask(right).hasPrefix("HTTP/1.1 200 "))
        for _ in 1...4 { #expect(try ask(wrong).hasPrefix("HTTP/1.1 401 ")) }
        #expect(try ask(right).hasPrefix("HTTP/1.1 200 "))
    }
}
