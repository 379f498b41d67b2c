// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import MenshenCore
import TestSupport
import Testing

@testable import menshen

struct UsageBlocksTests {
    private static let noon: Int64 = 1_795_780_800

    private static func said(_ limits: [String]) -> String? {
        let look = TopLook(Array(TopPage.page(providers: [TopPage.provider("anthropic", limits: limits)]).utf8))
        return UsageBlocks.limits(of: "anthropic", look, now: noon, in: .utc)
    }

    @Test func `of several keys the one that has used most is told, and when it begins anew`() {
        let limits = [
            TopPage.limit("subscription", window: "5h", used: 0.12, resets: 60_000),
            TopPage.limit("subscription", window: "7d", used: 0.61, resets: 2 * 86_400_000 + 75_600_000),
            TopPage.limit("tokens", whole: 100, left: 1),
            TopPage.limit("subscription", window: "5h", used: 0.37, resets: 14_400_000),
        ]
        #expect(
            Self.said(limits) == "anthropic says: 5h 37% used, resets 16:00; 7d 61% used, resets Mon 09:00")
    }

    @Test func `what no provider has said is not told`() {
        #expect(Self.said([]) == nil && Self.said([TopPage.limit("tokens", whole: 100, left: 1)]) == nil)
        #expect(
            Self.said([TopPage.limit("subscription", window: "5h", used: 0, resets: 0)])?.contains("has begun anew")
                == true)
        let look = TopLook(Array(TopPage.page().utf8))
        #expect(UsageBlocks.limits(of: "anthropic", look, now: 0, in: .utc) == nil)
    }

    @Test func `a running menshen is asked for them, and one that is gone is not missed`() throws {
        let setting = Stage.Setting.with { ($0.kind, $0.basePath) = ("anthropic", "") }
        let fields = [
            "Content-Type: application/json", "anthropic-ratelimit-unified-5h-utilization: 0.37",
            "anthropic-ratelimit-unified-5h-status: allowed",
            "anthropic-ratelimit-unified-5h-reset: \(time(nil) + 7200)",
        ]
        try Stage.run(setting, upstream: { try $0.reply(200, fields, body: #"{"model":"m"}"#) }) { stage throws in
            let body = #"{"model":"m","max_tokens":1,"messages":[]}"#
            #expect(try stage.ask("POST", "/v1/messages", ["Content-Type: application/json"], body: body).status == 200)
            func blocks(_ socket: String) throws -> String {
                let words = ["usage", "--blocks", "--width", "80", "--socket", socket, "--config"]
                var output = ""
                // Reports end with the second before this one.
                for _ in 0..<1000 where !output.contains("* now") {
                    output = try MenshenProgram.run(words + [stage.daemon.configurationPath], in: stage.directory)
                        .output
                }
                return output
            }
            let told = try blocks(stage.daemon.socketPath)
            #expect(told.contains("  anthropic says: 5h 37% used, resets "), "\(told)")
            #expect(try !blocks(stage.directory.path("none.sock")).contains("says"))
        }
    }
}
