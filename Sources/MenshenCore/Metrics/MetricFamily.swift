// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// One metric: what it is called, of what type and unit it is, and which labels tell its samples apart. The output and the
/// manual's table are both made from `all`.
package struct MetricFamily: Sendable {
    package enum Kind: String, Sendable {
        case counter, gauge, histogram
        /// A gauge that is always 1 and says something in its labels.
        case info
    }

    /// Without what its kind adds.
    private let base: String
    package let kind: Kind
    /// Prometheus' base units; empty for a plain count. The name ends in it.
    package let unit: String
    package let labels: [String]
    /// One sentence.
    package let help: String

    private init(_ base: String, _ kind: Kind, unit: String = "", by labels: [String] = [], _ help: String) {
        self.base = base
        self.kind = kind
        self.unit = unit
        self.labels = labels
        self.help = help
    }

    /// As it stands in a query; a histogram has `_bucket`, `_sum` and `_count` behind it.
    package var name: String {
        switch kind {
        case .counter: base + "_total"
        case .info: base + "_info"
        case .gauge, .histogram: base
        }
    }

    /// What OpenMetrics calls it.
    var family: String { base }
}

extension MetricFamily {
    private static let model = ["provider", "model"]

    /// In the order of the output.
    package static let all = requestFamilies + providerFamilies + limitFamilies + storeFamilies + processFamilies

    // MARK: Requests

    private static let requestFamilies = [
        requests, callerRequests, callerCost, inputTokens, outputTokens, cost, unpriced, firstByte, duration,
        longestGap,
        queueWait, attempts, openRequests, openStreams,
    ]

    static let requests = MetricFamily(
        "menshen_requests", .counter, by: ["provider", "model", "operation", "end_state", "status"],
        "Requests that have ended, by how, and by the class of the status that the caller saw.")
    static let callerRequests = MetricFamily(
        "menshen_caller_requests", .counter, by: ["caller"],
        "Requests that have ended, by the token's name, else the caller's unit, program or user.")
    static let callerCost = MetricFamily(
        "menshen_caller_cost_dollars", .counter, unit: "dollars", by: ["caller"],
        "What requests have cost, by the token's name, else the caller's unit, program or user.")
    static let inputTokens = MetricFamily(
        "menshen_input_tokens", .counter, unit: "tokens", by: model + ["kind"],
        "Input tokens by kind: uncached, read from the provider's cache, or written to it; their sum is all input.")
    static let outputTokens = MetricFamily(
        "menshen_output_tokens", .counter, unit: "tokens", by: model + ["kind"],
        "Output tokens by kind: text, or reasoning; their sum is all output.")
    static let cost = MetricFamily(
        "menshen_cost_dollars", .counter, unit: "dollars", by: model,
        "What requests have cost, as far as their price is known.")
    static let unpriced = MetricFamily(
        "menshen_unpriced_requests", .counter, by: model,
        "Requests that have cost something which is not known, and so is not in the cost.")
    static let firstByte = MetricFamily(
        "menshen_first_byte_seconds", .histogram, unit: "seconds", by: model,
        "From a request's head to the first byte of a provider's answer.")
    static let duration = MetricFamily(
        "menshen_request_duration_seconds", .histogram, unit: "seconds", by: model,
        "From a request's head to its end.")
    static let longestGap = MetricFamily(
        "menshen_longest_gap_seconds", .histogram, unit: "seconds", by: model,
        "The longest time between two pieces of a streamed answer, one value for each stream.")
    static let queueWait = MetricFamily(
        "menshen_queue_wait_seconds", .histogram, unit: "seconds", by: ["provider"],
        "How long requests have waited for a place at a provider; those that found one at once are not counted.")
    static let attempts = MetricFamily(
        "menshen_attempts", .counter, by: ["provider", "reason"],
        "Attempts at providers by what came of them; ok is an answer that is passed on.")
    static let openRequests = MetricFamily("menshen_open_requests", .gauge, "Requests under way.")
    static let openStreams = MetricFamily("menshen_open_streams", .gauge, "Streamed answers under way.")

    // MARK: Providers

    private static let providerFamilies = [
        providerUp, breaker, keyPause, headroom, placesInUse, placesLimit, waiting,
    ]

    static let providerUp = MetricFamily(
        "menshen_provider_up", .gauge, by: ["provider"],
        "1 if a key of the provider may be used now; 0 while all of them are left alone.")
    static let breaker = MetricFamily(
        "menshen_breaker_state", .gauge, by: ["provider", "key", "state"],
        "1 for the state of a key's breaker: closed, open, or half_open while one request finds out.")
    static let keyPause = MetricFamily(
        "menshen_key_pause_seconds", .gauge, unit: "seconds", by: ["provider", "key"],
        "How long a key, or a model of it, is left alone from now on.")
    static let headroom = MetricFamily(
        "menshen_headroom_remaining_ratio", .gauge, unit: "ratio", by: ["provider", "key", "kind", "window"],
        "What is left of a limit, as the provider last said it, from 0 to 1.")
    static let placesInUse = MetricFamily(
        "menshen_places_in_use", .gauge, by: ["provider"], "Requests at the provider.")
    static let placesLimit = MetricFamily(
        "menshen_places_limit", .gauge, by: ["provider"],
        "Requests that may be at the provider at a time (max_concurrent); absent where there is no limit.")
    static let waiting = MetricFamily(
        "menshen_waiting_requests", .gauge, by: ["provider"], "Requests that wait for a place at the provider.")

    // MARK: Limits

    private static let limitFamilies = [limit, limitSpent, limitReserved]
    private static let pot = ["holder", "name", "measure", "window"]

    static let limit = MetricFamily(
        "menshen_limit", .gauge, by: pot, "What may be spent in a window, in dollars (usd), requests or tokens.")
    static let limitSpent = MetricFamily("menshen_limit_spent", .gauge, by: pot, "What was spent of it in this window.")
    static let limitReserved = MetricFamily(
        "menshen_limit_reserved", .gauge, by: pot, "What requests under way have reserved of it.")

    // MARK: Store

    private static let storeFamilies = [
        device, backlog, awaitingDatabase, recordsWritten, notJournalled, cacheEntries, cacheBytes, cacheHits,
        cacheMisses, cacheEvictions,
    ]

    static let device = MetricFamily(
        "menshen_audit_device", .gauge, by: ["device"],
        "1 for where records go: database, journal, or none, in which case requests are refused.")
    static let backlog = MetricFamily(
        "menshen_audit_backlog", .gauge, "Records that wait for the store's thread.")
    static let awaitingDatabase = MetricFamily(
        "menshen_audit_awaiting_database", .gauge,
        "Records that only the journal has, and that wait for the database to come back.")
    static let recordsWritten = MetricFamily(
        "menshen_audit_records", .counter, "Records of ended requests that the database has taken.")
    static let notJournalled = MetricFamily(
        "menshen_audit_not_journalled", .counter, "Entries of requests that the journal did not get.")
    static let cacheEntries = MetricFamily("menshen_cache_entries", .gauge, "Answers in the cache.")
    static let cacheBytes = MetricFamily(
        "menshen_cache_size_bytes", .gauge, unit: "bytes", "What the answers in the cache take up.")
    static let cacheHits = MetricFamily("menshen_cache_hits", .counter, "Look-ups that found an answer in the cache.")
    static let cacheMisses = MetricFamily("menshen_cache_misses", .counter, "Look-ups that found none.")
    static let cacheEvictions = MetricFamily(
        "menshen_cache_evictions", .counter, "Answers that made room for others.")

    // MARK: Process

    private static let processFamilies = [
        build, configurationOK, connections, cpu, resident, openDescriptors, startTime,
    ]

    static let build = MetricFamily("menshen_build", .info, by: ["version"], "The version that runs.")
    static let configurationOK = MetricFamily(
        "menshen_configuration_ok", .gauge, "1 if the configuration is usable, also over TCP.")
    static let connections = MetricFamily("menshen_connections", .gauge, "Open connections of callers.")
    static let cpu = MetricFamily(
        "process_cpu_seconds", .counter, unit: "seconds", "Time of the processor that the process has used.")
    static let resident = MetricFamily(
        "process_resident_memory_bytes", .gauge, unit: "bytes", "Memory that the process has in use.")
    static let openDescriptors = MetricFamily("process_open_fds", .gauge, "Open file descriptors.")
    static let startTime = MetricFamily(
        "process_start_time_seconds", .gauge, unit: "seconds", "When the process started, in Unix time.")
}
