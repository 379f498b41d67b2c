// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import TOML

extension Configuration {
    /// `[telemetry]`: spans and records of requests for a receiver of OpenTelemetry's protocol.
    package struct Telemetry: Sendable {
        /// nil: as the variables say, and nothing is sent without those.
        package var endpoint: BaseURL?
        package var encoding: OTLPEncoding?
        package var headers: [Provider.Header] = []
        package var traces = true
        package var logs = true
        package var capturesContent = false
        /// nil: nothing is sent.
        package var plan: TelemetryPlan?

        /// Of the headers that are sent, each once, whether the file or a variable has them.
        private(set) var secrets: [Secret] = []
    }
}

extension Configuration.Telemetry: ConfigurationRoot {
    static let defaults = Self()

    static let settings: [ConfigurationSetting<Self>] = [
        .custom(
            "telemetry.endpoint", .text, sample: "\"http://localhost:4318\"",
            "Receiver of spans and records (OTLP over HTTP); `OTEL_EXPORTER_OTLP_ENDPOINT` unless given, and without both none.",
            read: readEndpoint
        ) {
            $0.endpoint.map { TOMLText.quoted($0.description) }
        },
        .custom(
            "telemetry.protocol", .text, sample: "\"http/protobuf\"",
            "`\"http/protobuf\"` or `\"http/json\"`; `OTEL_EXPORTER_OTLP_PROTOCOL` unless given, else the first.",
            read: readEncoding
        ) {
            $0.encoding.map { TOMLText.quoted($0.rawValue) }
        },
        .custom(
            "telemetry.headers", .textTable, sample: #"{ "x-scope-orgid" = "research" }"#,
            "Headers of what is sent to the receiver, in place of `OTEL_EXPORTER_OTLP_HEADERS`."
        ) {
            $0.headers = RequestHeaderRule.headers($1).map {
                Provider.Header(name: $0.name, value: $0.value, isSecret: true)
            }
        } shown: {
            $0.headers.isEmpty ? nil : TOMLText.table($0.headers.map { ($0.name, TOMLText.hidden) })
        },
        .boolean("telemetry.traces", \.traces, "Send spans: one for each request and for each attempt at a provider."),
        .boolean("telemetry.logs", \.logs, "Send a log record for each request."),
        .boolean(
            "telemetry.capture_content", \.capturesContent,
            "Send the bodies that `[logging]` keeps, which are prompts, with the log records."),
    ]

    @Sendable private static func readEndpoint(_ telemetry: inout Self, _ section: ConfigurationSection) {
        guard let text = section.text("endpoint"), !text.text.isEmpty else { return }
        guard let url = BaseURL(text.text), url.socketPath == nil else {
            section.reading.error(
                at: text.span, "telemetry.endpoint is not a receiver's address",
                hint: "write \"http://localhost:4318\"; /v1/traces and /v1/logs are added")
            return
        }
        telemetry.endpoint = url
    }

    @Sendable private static func readEncoding(_ telemetry: inout Self, _ section: ConfigurationSection) {
        guard let text = section.text("protocol") else { return }
        telemetry.encoding = OTLPEncoding(rawValue: text.text)
        if telemetry.encoding == nil {
            section.reading.error(
                at: text.span, "telemetry.protocol must be \"http/protobuf\" or \"http/json\"",
                hint: text.text == "grpc" ? "receivers that take gRPC at port 4317 take HTTP at port 4318" : nil)
        }
    }

    /// After all sections: the providers' addresses are part of it.
    @Sendable static func makePlan(_ configuration: inout Configuration, _ top: ConfigurationSection) {
        let section = top.section("telemetry")
        var telemetry = configuration.telemetry
        let variables = TelemetryVariables(section.reading.environment) { name, hint in
            section.reading.warning(
                at: section.span, "the environment variable \(name) is not understood and ignored", hint: hint)
        }
        if telemetry.capturesContent, !configuration.logging.logRequestBody, !configuration.logging.logResponseBody {
            section.reading.warning(
                at: section.keySpan("capture_content"), "telemetry.capture_content has no effect",
                hint: "set logging.log_request_body or logging.log_response_body too: what those keep is sent")
        }
        let lanes = OTLPSignal.allCases.compactMap { telemetry.lane($0, variables, isInFile: section.has(_:)) }
        guard !lanes.isEmpty else { return }
        let queueLimit = variables.count("OTEL_BSP_MAX_QUEUE_SIZE", 2048, 1...1_000_000)
        telemetry.plan = TelemetryPlan(
            lanes: lanes, resource: variables.resource, sampler: variables.sampler, queueLimit: queueLimit,
            batchLimit: min(queueLimit, variables.count("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512, 1...10_000)),
            delayMilliseconds: variables.count("OTEL_BSP_SCHEDULE_DELAY", 5000, 1...3_600_000),
            capturesContent: telemetry.capturesContent,
            places: Dictionary(
                configuration.providers.map { ($0.name, ProviderPlace($0)) }, uniquingKeysWith: { first, _ in first }))
        for header in lanes.flatMap(\.headers)
        where !telemetry.secrets.contains(where: { $0.digest == header.value.digest }) {
            telemetry.secrets.append(header.value)
        }
        configuration.telemetry = telemetry
    }

    private func lane(_ signal: OTLPSignal, _ variables: TelemetryVariables, isInFile: (String) -> Bool)
        -> TelemetryPlan.Lane?
    {
        let name = signal.rawValue
        guard signal == .traces ? traces : logs else { return nil }
        // Who writes an endpoint or a switch into the file wants it, whatever the variables say.
        if endpoint == nil, variables.isDisabled { return nil }
        if endpoint == nil || !isInFile(name), variables.isOff(signal) { return nil }
        guard let target = endpoint.map({ ($0, $0.path + signal.path) }) ?? variables.endpoint(signal) else {
            return nil
        }
        return TelemetryPlan.Lane(
            signal: signal, receiver: target.0, path: target.1,
            encoding: encoding ?? variables.encoding(signal) ?? .protobuf,
            headers: headers.isEmpty ? variables.headers(signal) ?? [] : headers,
            timeoutMilliseconds: variables.timeout(signal), isCompressed: variables.isCompressed(signal),
            caFile: variables.caFile(signal))
    }
}
