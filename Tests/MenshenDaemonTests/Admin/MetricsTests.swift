// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import TestSupport
import Testing

@testable import MenshenDaemon

struct MetricsTests {
    private static let withPassword = Stage.Setting.with {
        $0.hasTCP = true
        $0.authentication = Stage.password
    }

    @Test func `the page counts a request that has ended, and not itself`() throws {
        try Stage.run(.with { _ in }) {
            try $0.reply()
        } _: { stage throws in
            _ = try stage.ask("GET", "/v1/models")
            let answer = try stage.ask("GET", "/_menshen/metrics")
            #expect(answer.status == 200)
            #expect(answer["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8")
            let lines = answer.text.split(separator: "\n")
            let requests = lines.filter { $0.hasPrefix("menshen_requests_total{") }
            #expect(
                requests == [
                    "menshen_requests_total{provider=\"openai\",model=\"\",operation=\"models\",end_state=\"complete\",status=\"2xx\"} 1"
                ])
            #expect(lines.contains("menshen_open_requests 0") && lines.contains("menshen_connections 1"))
            #expect(lines.contains("menshen_audit_device{device=\"database\"} 1"))
            #expect(lines.contains("menshen_provider_up{provider=\"openai\"} 1"))
            #expect(!answer.text.contains(Stage.key))
            let open = try stage.ask(
                "GET", "/_menshen/metrics", ["Accept: application/openmetrics-text;version=1.0.0,*/*;q=0.1"])
            #expect(open["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8")
            #expect(open.text.hasSuffix("\n# EOF\n"))
        }
    }

    @Test func `over TCP the password shows it, and no token does`() throws {
        try Stage.run(Self.withPassword) {
            try $0.reply()
        } _: { stage throws in
            #expect(try stage.askTCP("GET", "/_menshen/metrics", []).status == 401)
            let token = try stage.askTCP("GET", "/_menshen/metrics", ["Authorization: Bearer \(Stage.token)"])
            #expect(token.status == 403 && token.text.contains("server.metrics_listen"))
            let answer = try stage.askTCP(
                "GET", "/_menshen/metrics", ["Authorization: Basic YWRtaW46b3BlbiBzZXNhbWU="])
            #expect(answer.status == 200 && answer.text.contains("menshen_build_info"))
        }
    }

    @Test func `a pulse knows the longest gap, and how long was waited in queues`() {
        let tally = WorkerTally()
        var pulse = Pulse()
        pulse.begin(tally)
        pulse.queues(at: 1000)
        pulse.leavesQueue(at: 1400)
        pulse.leavesQueue(at: 9000)
        pulse.queues(at: 10_000)
        pulse.leavesQueue(at: 10_000)
        for time: UInt64 in [20_000, 20_500, 24_000, 24_100] { pulse.piece(at: time) }
        pulse.streams(tally)
        pulse.streams(tally)
        #expect(tally.openRequests == 1 && tally.openStreams == 1)
        #expect(pulse.times(isStream: true).longestGap == 3500 && pulse.times(isStream: false).longestGap == nil)
        #expect(pulse.times(isStream: true).queueWait == 401)
        let settled = (pulse.settle(), pulse.settle())
        #expect(settled == (true, false))
        pulse.end(tally)
        pulse.end(tally)
        #expect(tally.openRequests == 0 && tally.openStreams == 0)
    }
}
