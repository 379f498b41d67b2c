// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Writes metrics as a scraper reads them: Prometheus' text format 0.0.4 or OpenMetrics 1.0.
package struct MetricText {
    package enum Format: Sendable {
        case prometheus, openMetrics

        package var contentType: String {
            switch self {
            case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
            case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
            }
        }
    }

    private let format: Format
    private var bytes: [UInt8] = []
    private var family = MetricFamily.requests

    package init(_ format: Format) {
        self.format = format
        bytes.reserveCapacity(32 << 10)
    }

    /// The samples that follow are of this one. Each is written once: a scraper wants its samples together.
    mutating func begin(_ family: MetricFamily) {
        self.family = family
        let isOpen = format == .openMetrics
        let name = isOpen ? family.family : family.name
        let kind = family.kind == .info && !isOpen ? "gauge" : family.kind.rawValue
        line("# TYPE \(name) \(kind)")
        if isOpen, !family.unit.isEmpty { line("# UNIT \(name) \(family.unit)") }
        line("# HELP \(name) \(family.help)")
    }

    /// `labels`: values, in the order of the family's.
    mutating func sample(_ labels: String..., value: String) { sample("", labels, value) }
    mutating func sample(_ labels: String..., value: some BinaryInteger) { sample("", labels, "\(value)") }

    mutating func sample(_ labels: String..., value: MetricHistogram) {
        var sum: Int64 = 0
        for (bound, count) in zip(MetricHistogram.bounds, value.counts) {
            sum += count
            sample("_bucket", labels, more: ("le", Self.seconds(bound)), "\(sum)")
        }
        sample("_bucket", labels, more: ("le", "+Inf"), "\(value.count)")
        sample("_sum", labels, Self.seconds(value.sum))
        sample("_count", labels, "\(value.count)")
    }

    /// The whole text.
    package mutating func end() -> [UInt8] {
        if format == .openMetrics { line("# EOF") }
        return bytes
    }

    private mutating func sample(
        _ suffix: String, _ values: [String], more: (String, String)? = nil, _ value: String
    ) {
        precondition(values.count == family.labels.count, "\(family.name) has other labels")
        bytes.append(contentsOf: family.name.utf8)
        bytes.append(contentsOf: suffix.utf8)
        var separator = UInt8(ascii: "{")
        for (name, value) in zip(family.labels, values) {
            label(name, value, separator)
            separator = UInt8(ascii: ",")
        }
        if let more {
            label(more.0, more.1, separator)
            separator = UInt8(ascii: ",")
        }
        if separator == UInt8(ascii: ",") { bytes.append(UInt8(ascii: "}")) }
        bytes.append(UInt8(ascii: " "))
        line(value)
    }

    private mutating func label(_ name: String, _ value: String, _ separator: UInt8) {
        bytes.append(separator)
        bytes.append(contentsOf: name.utf8)
        bytes.append(contentsOf: "=\"".utf8)
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\\"), UInt8(ascii: "\""): bytes.append(contentsOf: [UInt8(ascii: "\\"), byte])
            case UInt8(ascii: "\n"): bytes.append(contentsOf: "\\n".utf8)
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func line(_ text: String) {
        bytes.append(contentsOf: text.utf8)
        bytes.append(UInt8(ascii: "\n"))
    }

    // MARK: Numbers

    /// Exact, and with a point, as OpenMetrics writes the bounds of buckets.
    static func seconds(_ microseconds: Int64) -> String { decimal(microseconds, places: 6) }

    /// A whole number of so many decimal places.
    static func decimal(_ value: Int64, places: Int) -> String {
        let digits = String(value.magnitude)
        let padded = String(repeating: "0", count: max(0, places + 1 - digits.utf8.count)) + digits
        var fraction = padded.suffix(places)
        while fraction.utf8.count > 1, fraction.last == "0" { fraction = fraction.dropLast() }
        return (value < 0 ? "-" : "") + padded.dropLast(places) + "." + fraction
    }
}
