// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

@Suite struct TelemetrySettingsTests {
    private static let provider = "[[providers]]\nbase_url = \"https://api.openai.com/v1\"\napi_key = \"sk-real-key\"\n"

    private func decode(_ text: String, _ variables: [String: String] = [:]) -> DecodedConfiguration {
        ConfigurationDecoder.decode(text + Self.provider, file: "c.toml") { variables[$0] }
    }

    private func plan(_ text: String, _ variables: [String: String] = [:]) throws -> TelemetryPlan? {
        try #require(decode(text, variables).configuration).telemetry.plan
    }

    private let endpoint = ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"]

    @Test func `without an endpoint nothing is sent`() throws {
        #expect(try plan("") == nil)
        #expect(try plan("[telemetry]\ntraces = true\n") == nil)
    }

    @Test func `the standard variables are enough`() throws {
        let plan = try #require(try plan("", endpoint))
        #expect(plan.lanes.map(\.url) == ["http://collector:4318/v1/traces", "http://collector:4318/v1/logs"])
        #expect(plan.lanes.allSatisfy { $0.encoding == .protobuf && $0.timeoutMilliseconds == 10_000 })
        #expect(plan.queueLimit == 2048 && plan.batchLimit == 512 && plan.delayMilliseconds == 5000)
        #expect(plan.resource.map(\.name) == ["service.name"] && plan.resource[0].value == "menshen")
    }

    @Test func `a signal's own variable is taken whole and before that of both`() throws {
        var variables = endpoint
        variables["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = "http://tempo:4318/otlp/v1/traces"
        variables["OTEL_EXPORTER_OTLP_LOGS_PROTOCOL"] = "http/json"
        variables["OTEL_EXPORTER_OTLP_TIMEOUT"] = "250"
        variables["OTEL_EXPORTER_OTLP_COMPRESSION"] = "gzip"
        let plan = try #require(try plan("", variables))
        #expect(plan.lanes.map(\.url) == ["http://tempo:4318/otlp/v1/traces", "http://collector:4318/v1/logs"])
        #expect(plan.lanes.map(\.encoding) == [.protobuf, .json])
        #expect(plan.lanes.allSatisfy { $0.timeoutMilliseconds == 250 && $0.isCompressed })
    }

    @Test func `the section wins over the variables`() throws {
        var variables = endpoint
        variables["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf"
        variables["OTEL_SDK_DISABLED"] = "true"
        variables["OTEL_TRACES_EXPORTER"] = "none"
        #expect(try plan("", variables) == nil)
        let text = """
            [telemetry]
            endpoint = "https://otlp.example/otlp/"
            protocol = "http/json"
            traces = true
            logs = false

            """
        let plan = try #require(try plan(text, variables))
        #expect(plan.lanes.map(\.url) == ["https://otlp.example/otlp/v1/traces"])
        #expect(plan.lanes[0].encoding == .json)
    }

    @Test func `an exporter that is none switches its signal off`() throws {
        var variables = endpoint
        variables["OTEL_TRACES_EXPORTER"] = "none"
        #expect(try plan("", variables)?.lanes.map(\.signal) == [.logs])
    }

    @Test func `headers are secrets wherever they come from, and are not shown`() throws {
        var variables = endpoint
        variables["OTEL_EXPORTER_OTLP_HEADERS"] = "x-key=top%20secret-1, x-other=b"
        let configuration = try #require(decode("", variables).configuration)
        #expect(configuration.telemetry.plan?.lanes[0].headers.map(\.name) == ["x-key", "x-other"])
        #expect(SecretSet(configuration.secrets).masked("a top secret-1 b") == "a ************ b")
        let own = "[telemetry]\nendpoint = \"http://a\"\nheaders = { \"x-key\" = \"in the file\" }\n"
        let other = try #require(decode(own, variables).configuration)
        #expect(other.telemetry.plan?.lanes[0].headers.map(\.name) == ["x-key"])
        #expect(!ConfigurationRendering.text(of: other).contains("in the file"))
    }

    @Test func `service and resource are those of the variables`() throws {
        var variables = endpoint
        variables["OTEL_SERVICE_NAME"] = "door"
        variables["OTEL_RESOURCE_ATTRIBUTES"] = "service.name=other,team=a%2Cb"
        let resource = try #require(try plan("", variables)).resource
        #expect(resource.map { "\($0.name)=\($0.value)" } == ["service.name=door", "team=a,b"])
    }

    @Test(arguments: [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_BSP_MAX_QUEUE_SIZE", "none"), ("OTEL_TRACES_SAMPLER", "x"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "secret-without-a-name"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "-1"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"), ("OTEL_LOGS_EXPORTER", "console"),
    ])
    func `a variable that is not understood is said, without its value, and harms nothing`(name: String, value: String)
        throws
    {
        var variables = endpoint
        variables[name] = value
        let decoded = decode("", variables)
        #expect(decoded.configuration?.telemetry.plan != nil)
        let remark = try #require(decoded.diagnostics.first { $0.message.contains(name) })
        #expect(remark.severity == .warning && !"\(remark)".contains("secret-without"))
    }

    @Test(arguments: [
        "endpoint = \"collector:4318\"", "endpoint = \"unix:///run/otlp.sock\"", "protocol = \"grpc\"",
        "headers = { host = \"a\" }", "headers = { \"x y\" = \"a\" }",
    ])
    func `a setting that is not in order is a fault`(line: String) {
        let decoded = decode("[telemetry]\n\(line)\n")
        #expect(decoded.configuration == nil)
        #expect(decoded.diagnostics.contains { $0.message.hasPrefix("telemetry.") })
    }
}
