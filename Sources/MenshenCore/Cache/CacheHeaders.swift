// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP

/// Which header fields count: all that go upstream belong to the key, but for those that are known to say nothing about
/// the answer. A list of the fields that do would miss those of the next gateway.
enum CacheHeaders {
    /// The program that asks, the request's own name, traces, and what a browser adds. In lower case.
    private static let silent: Set<String> = [
        "user-agent", "x-goog-api-client", "x-client-request-id", "x-request-id", "x-correlation-id", "idempotency-key",
        "origin", "referer", "date", "dnt", "priority", "cache-control", "pragma", "accept-encoding",
        "traceparent", "tracestate", "baggage", "sentry-trace", "x-amzn-trace-id", "x-cloud-trace-context", "b3",
    ]
    private static let silentPrefixes = ["x-stainless-", "sec-", "x-datadog-", "x-b3-"]

    /// "name: value" of each field that counts, by name; those of one name in their order.
    static func lines(of head: RequestHead) -> [String] {
        let rules = HeaderRules(for: head)
        var lines: [(name: String, value: String)] = []
        var codings: Set<String> = []
        for field in head.fields where rules.forwards(field, of: head) {
            let name = head.text(field.name).lowercased()
            let value = head.text(field.value)
            if field.known == .acceptEncoding { codings.formUnion(Self.codings(value)) }
            if silent.contains(name) || silentPrefixes.contains(where: { name.hasPrefix($0) }) { continue }
            lines.append((name, value))
        }
        if !codings.isEmpty { lines.append(("accept-encoding", codings.sorted().joined(separator: ","))) }
        let order = lines.enumerated().sorted { ($0.element.name, $0.offset) < ($1.element.name, $1.offset) }
        return order.map { "\($0.element.name): \($0.element.value)" }
    }

    /// Which codings the caller takes, whatever it prefers. None and "identity" are the same.
    private static func codings(_ value: String) -> [String] {
        value.lowercased().split(separator: ",").compactMap { element in
            let parts = element.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" } }
            guard let coding = parts.first, coding != "identity", !coding.isEmpty else { return nil }
            let isRefused = parts.dropFirst().contains { part in
                part.hasPrefix("q=") && Double(part.dropFirst(2)).map { $0 == 0 } ?? true
            }
            return isRefused ? nil : String(coding)
        }
    }
}
