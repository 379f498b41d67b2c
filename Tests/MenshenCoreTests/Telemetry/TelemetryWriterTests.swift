// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

@Suite struct TelemetryWriterTests {
    /// Every number once, so that a test knows its ids.
    private struct Counter: RandomNumberGenerator {
        var last: UInt64 = 0
        mutating func next() -> UInt64 {
            last += 1
            return last << 32
        }
    }

    private func settlement(attempts: Int = 0) -> AuditSettlement {
        let intent = AuditIntent(
            id: RequestID(microseconds: 1_700_000_000_000_000),
            caller: CallerRecord(uid: 1000, pid: 7, executable: nil, unit: nil, address: "unix"), tokenName: nil,
            method: "POST", path: "/v1/chat/completions", dialect: .common, operation: .chat, provider: "one",
            model: "m", isStream: nil)
        var end = AuditSettlement(
            intent: intent, endState: .complete, totalMicroseconds: 900, bytesIn: 5, bytesOut: 6)
        end.status = 200
        end.attempts = (0..<attempts).map {
            AttemptRecord(
                provider: "one", status: 200, reason: "ok", startedMicroseconds: Int64($0),
                endedMicroseconds: Int64($0) + 1)
        }
        return end
    }

    private func text(_ items: [OTLPMessage.Value]) -> String {
        let message = OTLPSignal.traces.batch(items, resource: [], version: "1")
        return String(decoding: OTLPEncoding.json.bytes(of: message), as: UTF8.self)
    }

    @Test func `a request that was tried without an end has a bounded number of spans`() {
        var writer = TelemetryWriter([:], .standard)
        var generator = Counter()
        writer.add(SettledRequest(settlement(attempts: 100), parent: nil, withContent: false), using: &generator)
        #expect(writer.spans.count == 1 + TelemetryWriter.longestWalk)
        #expect(writer.records.count == 1)
    }

    @Test func `what is not known is not there`() {
        var writer = TelemetryWriter([:], .standard)
        var generator = Counter()
        writer.add(SettledRequest(settlement(attempts: 1), parent: nil, withContent: false), using: &generator)
        let written = text(writer.spans) + text(writer.records)
        for name in ["gen_ai.usage", "gen_ai.response", "cost", "token_name", "server.address", "stringValue\":\"\""] {
            #expect(!written.contains(name), "\(name)")
        }
        #expect(written.contains("gen_ai.request.model"))
    }

    @Test func `bodies go along only where content is asked for`() {
        var end = settlement()
        end.requestBody = Array("a prompt".utf8)
        for withContent in [false, true] {
            let request = SettledRequest(end, parent: nil, withContent: withContent)
            #expect(request.weight == (withContent ? 8 : 0))
            var writer = TelemetryWriter([:], .standard)
            var generator = Counter()
            writer.add(request, using: &generator)
            #expect(text(writer.records).contains("a prompt") == withContent)
            #expect(!text(writer.spans).contains("a prompt"))
        }
    }
}
