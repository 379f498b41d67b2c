// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Testing

@testable import MenshenCore

struct MetricTextTests {
    private static func text(_ format: MetricText.Format, _ write: (inout MetricText) -> Void) -> [Substring] {
        var text = MetricText(format)
        write(&text)
        return String(decoding: text.end(), as: UTF8.self).split(separator: "\n")
    }

    @Test func `the two formats name a counter, a unit and the end each in its own way`() {
        let write: (inout MetricText) -> Void = {
            $0.begin(.cost)
            $0.sample("openai", "gpt", value: "0.25")
            $0.begin(.build)
            $0.sample("1.0", value: 1)
        }
        let help = MetricFamily.cost.help
        #expect(
            Self.text(.prometheus, write) == [
                "# TYPE menshen_cost_dollars_total counter", "# HELP menshen_cost_dollars_total \(help)",
                "menshen_cost_dollars_total{provider=\"openai\",model=\"gpt\"} 0.25", "# TYPE menshen_build_info gauge",
                "# HELP menshen_build_info The version that runs.", "menshen_build_info{version=\"1.0\"} 1",
            ])
        #expect(
            Self.text(.openMetrics, write) == [
                "# TYPE menshen_cost_dollars counter", "# UNIT menshen_cost_dollars dollars",
                "# HELP menshen_cost_dollars \(help)",
                "menshen_cost_dollars_total{provider=\"openai\",model=\"gpt\"} 0.25", "# TYPE menshen_build info",
                "# HELP menshen_build The version that runs.", "menshen_build_info{version=\"1.0\"} 1", "# EOF",
            ])
    }

    @Test func `a histogram's buckets hold all that is shorter, up to infinity`() {
        var times = MetricHistogram()
        for time: Int64 in [1, 5000, 5001, 700_000_000] { times.add(time) }
        let lines = Self.text(.prometheus) {
            $0.begin(.queueWait)
            $0.sample("a", value: times)
        }
        #expect(lines.count == 2 + MetricHistogram.bounds.count + 3)
        #expect(lines[2] == "menshen_queue_wait_seconds_bucket{provider=\"a\",le=\"0.005\"} 2")
        #expect(lines[3] == "menshen_queue_wait_seconds_bucket{provider=\"a\",le=\"0.01\"} 3")
        #expect(lines[lines.count - 4] == "menshen_queue_wait_seconds_bucket{provider=\"a\",le=\"600.0\"} 3")
        #expect(
            lines.suffix(3) == [
                "menshen_queue_wait_seconds_bucket{provider=\"a\",le=\"+Inf\"} 4",
                "menshen_queue_wait_seconds_sum{provider=\"a\"} 700.010002",
                "menshen_queue_wait_seconds_count{provider=\"a\"} 4",
            ])
    }

    @Test func `a value stays within its quotes`() {
        let lines = Self.text(.prometheus) {
            $0.begin(.callerRequests)
            $0.sample("a\"} 1\nb\\", value: 1)
            $0.begin(.connections)
            $0.sample(value: 7)
        }
        #expect(lines[2] == "menshen_caller_requests_total{caller=\"a\\\"} 1\\nb\\\\\"} 1")
        #expect(lines.last == "menshen_connections 7")
    }

    @Test func `numbers are exact, with a point`() {
        #expect(MetricText.seconds(0) == "0.0" && MetricText.seconds(1_500_000) == "1.5")
        #expect(MetricText.seconds(1) == "0.000001" && MetricText.seconds(-2_000_000) == "-2.0")
        #expect(MetricText.seconds(.max) == "9223372036854.775807")
        #expect(MetricText.decimal(9999, places: 4) == "0.9999" && MetricText.decimal(10_000, places: 4) == "1.0")
    }

    @Test func `metrics are named as scrapers want it, each once`() {
        let all = MetricFamily.all
        #expect(Set(all.map(\.name)).count == all.count)
        for family in all {
            #expect(family.unit.isEmpty || family.family.hasSuffix("_" + family.unit), "\(family.name)")
            #expect(family.help.hasSuffix("."), "\(family.name)")
            #expect(family.name.utf8.allSatisfy { (97...122).contains($0) || $0 == UInt8(ascii: "_") })
            #expect(Set(family.labels).count == family.labels.count && !family.labels.contains("le"))
        }
    }

    @Test func `everything that is listed is written, once, in the order of the list`() {
        var text = MetricText(.prometheus)
        RequestTally().write(to: &text, openRequests: 0, openStreams: 0)
        StateMetrics().write(to: &text)
        let heads = String(decoding: text.end(), as: UTF8.self).split(separator: "\n").filter { $0.hasPrefix("# TYPE") }
        #expect(heads.map { $0.split(separator: " ")[2] } == MetricFamily.all.map { Substring($0.name) })
    }

    @Test func `only so many names have samples of their own, cut and without control characters`() {
        var names = LabelValues()
        #expect(names.value(for: "unproven", isProven: false, limit: 2) == "other")
        #expect(names.value(for: "a", isProven: true, limit: 2) == "a")
        #expect(names.value(for: "b\u{1b}[2J\n", isProven: true, limit: 2) == "b\u{FFFD}[2J\u{FFFD}")
        #expect(names.value(for: "c", isProven: true, limit: 2) == "other")
        #expect(names.value(for: "a", isProven: false, limit: 2) == "a")
        let long = String(repeating: "é", count: 500)
        #expect(names.value(for: long, isProven: true, limit: 3) == String(repeating: "é", count: 48) + "…")
    }

    @Test func `headroom is a share of the whole, whichever way the provider says it`() {
        var headroom = Headroom()
        var state = StateMetrics()
        func shown() -> [Substring] {
            state.providers = [
                .init(
                    name: "p", keys: [.init(breaker: .open, pause: 1_500_000, headroom: headroom)], inUse: 2, places: 4,
                    waiting: 1)
            ]
            return Self.text(.prometheus) { state.write(to: &$0) }
        }
        #expect(!shown().contains { $0.hasPrefix("menshen_headroom_remaining_ratio{") })
        headroom = Headroom()
        let lines = shown()
        #expect(lines.contains("menshen_provider_up{provider=\"p\"} 0"))
        #expect(lines.contains("menshen_breaker_state{provider=\"p\",key=\"1\",state=\"open\"} 1"))
        #expect(lines.contains("menshen_key_pause_seconds{provider=\"p\",key=\"1\"} 1.5"))
        #expect(lines.contains("menshen_places_limit{provider=\"p\"} 4"))
    }
}
