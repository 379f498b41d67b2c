// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP

/// What is sent where, of `[telemetry]` and OpenTelemetry's variables; the section wins.
package struct TelemetryPlan: Sendable {
    /// One of the two kinds of telemetry on its way.
    package struct Lane: Sendable {
        package let signal: OTLPSignal
        /// The receiver without its path, and the path.
        package let receiver: BaseURL
        package let path: String
        package let encoding: OTLPEncoding
        package let headers: [Provider.Header]
        package let timeoutMilliseconds: Int
        package let isCompressed: Bool
        package let caFile: String?

        /// For people; holds no secret.
        package var url: String { receiver.origin + path }
    }

    package let lanes: [Lane]
    package let resource: [(name: String, value: String)]
    package let sampler: TraceSampler
    /// Requests that may wait, and that go out together; and how long the first of those waits.
    package let queueLimit: Int
    package let batchLimit: Int
    package let delayMilliseconds: Int
    package let capturesContent: Bool
    package let places: [String: ProviderPlace]
}

/// OpenTelemetry's variables, and what is wrong with them.
struct TelemetryVariables {
    private let environment: (String) -> String?
    private let report: (_ name: String, _ hint: String) -> Void

    init(_ environment: @escaping (String) -> String?, report: @escaping (_ name: String, _ hint: String) -> Void) {
        self.environment = environment
        self.report = report
    }

    /// Set to nothing is not set.
    func text(_ name: String) -> String? { environment(name).flatMap { $0.isEmpty ? nil : $0 } }

    var isDisabled: Bool { text("OTEL_SDK_DISABLED")?.lowercased() == "true" }

    /// `OTEL_TRACES_EXPORTER` and its like: "otlp" and "none" are known here.
    func isOff(_ signal: OTLPSignal) -> Bool {
        let name = "OTEL_\(signal.rawValue.uppercased())_EXPORTER"
        guard let names = text(name)?.split(separator: ",") else { return false }
        if names.contains("otlp") { return false }
        if !names.contains("none") { report(name, "menshen knows \"otlp\" and \"none\"") }
        return true
    }

    /// The variable of the signal, else that of both.
    private func exporter(_ part: String, _ signal: OTLPSignal) -> (name: String, text: String)? {
        for name in ["OTEL_EXPORTER_OTLP_\(signal.rawValue.uppercased())_\(part)", "OTEL_EXPORTER_OTLP_\(part)"] {
            if let text = text(name) { return (name, text) }
        }
        return nil
    }

    /// The one for both gets the signal's path behind it, the signal's own is whole.
    func endpoint(_ signal: OTLPSignal) -> (receiver: BaseURL, path: String)? {
        guard let (name, text) = exporter("ENDPOINT", signal) else { return nil }
        guard let url = BaseURL(text), url.socketPath == nil else {
            report(name, "write http://host:4318 or https://host:4318")
            return nil
        }
        let isOwn = name != "OTEL_EXPORTER_OTLP_ENDPOINT"
        return (url, isOwn ? (url.path.isEmpty ? "/" : url.path) : url.path + signal.path)
    }

    func encoding(_ signal: OTLPSignal) -> OTLPEncoding? {
        guard let (name, text) = exporter("PROTOCOL", signal) else { return nil }
        let encoding = OTLPEncoding(rawValue: text)
        if encoding == nil { report(name, "menshen speaks \"http/protobuf\" and \"http/json\"") }
        return encoding
    }

    /// "name=value,name=value", the values with %-escapes.
    func headers(_ signal: OTLPSignal) -> [Provider.Header]? {
        guard let (name, text) = exporter("HEADERS", signal) else { return nil }
        let headers = pairs(text, name).compactMap { pair -> Provider.Header? in
            guard RequestHeaderRule.isName(pair.name), RequestHeaderRule.isValue(pair.value) else {
                report(name, "write name=value,name=value")
                return nil
            }
            return Provider.Header(name: pair.name, value: Secret(pair.value), isSecret: true)
        }
        return headers
    }

    func timeout(_ signal: OTLPSignal) -> Int {
        guard let (name, text) = exporter("TIMEOUT", signal) else { return 10_000 }
        guard let milliseconds = Int(text), (1...600_000).contains(milliseconds) else {
            report(name, "write a number of milliseconds")
            return 10_000
        }
        return milliseconds
    }

    func isCompressed(_ signal: OTLPSignal) -> Bool {
        guard let (name, text) = exporter("COMPRESSION", signal) else { return false }
        if text != "gzip", text != "none" { report(name, "menshen knows \"gzip\" and \"none\"") }
        return text == "gzip"
    }

    func caFile(_ signal: OTLPSignal) -> String? { exporter("CERTIFICATE", signal)?.text }

    var resource: [(name: String, value: String)] {
        let name = "OTEL_RESOURCE_ATTRIBUTES"
        var resource = text(name).map { pairs($0, name) } ?? []
        if let service = text("OTEL_SERVICE_NAME") {
            resource.removeAll { $0.name == GenAINames.serviceName }
            resource.insert((GenAINames.serviceName, service), at: 0)
        } else if !resource.contains(where: { $0.name == GenAINames.serviceName }) {
            resource.insert((GenAINames.serviceName, "menshen"), at: 0)
        }
        return resource
    }

    var sampler: TraceSampler {
        let name = "OTEL_TRACES_SAMPLER"
        guard let text = text(name) else { return .standard }
        guard let sampler = TraceSampler(name: text, argument: self.text("OTEL_TRACES_SAMPLER_ARG")) else {
            report(
                name,
                "menshen knows always_on, always_off and traceidratio, each with parentbased_ before it, and shares from 0 to 1"
            )
            return .standard
        }
        return sampler
    }

    func count(_ name: String, _ fallback: Int, _ range: ClosedRange<Int>) -> Int {
        guard let text = text(name) else { return fallback }
        guard let count = Int(text), range.contains(count) else {
            report(name, "write a number from \(range.lowerBound) to \(range.upperBound)")
            return fallback
        }
        return count
    }

    private func pairs(_ text: String, _ variable: String) -> [(name: String, value: String)] {
        text.split(separator: ",").compactMap { part in
            let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(Self.trimmed)
            guard halves.count == 2, !halves[0].isEmpty, let value = Self.unescaped(halves[1]) else {
                report(variable, "write name=value,name=value")
                return nil
            }
            return (String(halves[0]), value)
        }
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop { $0 == " " }
        while text.last == " " { text = text.dropLast() }
        return text
    }

    /// nil for an escape that is none.
    private static func unescaped(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let escaped = Hexadecimal.bytes(rest.prefix(2).map(\.lowercased)) else { return nil }
            bytes += escaped
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
