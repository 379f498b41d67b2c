// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP

extension Dialect {
    package static var anthropic: Dialect { Dialect(Anthropic.self) }
}

/// Anthropic's Messages, also at Google's Vertex, which has the model in the path as Google's own API does.
enum Anthropic: ProviderAPI {
    static var name: String { "anthropic" }
    static var keepsVersion: Bool { true }

    static func isHost(_ host: Substring) -> Bool { host.isUnder("anthropic.com") }

    static var ownFields: [FieldName] { [.anthropicVersion, .anthropicBeta] }
    static var keyField: FieldName? { .xAPIKey }
    static var addedField: AddedField? {
        AddedField(name: .anthropicVersion, start: "anthropic-version: ", value: "2023-06-01")
    }

    static func probe(_ address: BaseURL) -> String { "/v1/models?limit=1" }

    static var browserFields: [String] {
        ["x-api-key", "anthropic-version", "anthropic-beta", "anthropic-dangerous-direct-browser-access"]
    }

    /// An OAuth token of Anthropic's says so in its own prefix; it is refused as an x-api-key.
    static func keyField(for key: Secret) -> StaticString {
        key.hasPrefix("sk-ant-oat") ? "Authorization: Bearer " : "x-api-key: "
    }

    static func owns(_ path: String) -> Bool {
        if isVertex(path) { return true }
        let segments = path.split(separator: "/")
        guard let messages = segments.lastIndex(of: "messages") else { return false }
        // OpenAI's have messages too: /v1/threads/ID/messages, /v1/chat/completions/ID/messages.
        return !segments[..<messages].contains { $0 == "threads" || $0 == "completions" }
    }

    private static func isVertex(_ path: some StringProtocol) -> Bool {
        path.hasSuffix(":rawPredict") || path.hasSuffix(":streamRawPredict")
    }

    static func begins(with segment: Substring) -> Bool { segment == "messages" }

    static func operation(_ segments: [Substring]) -> Operation {
        guard let index = segments.lastIndex(of: "messages") else {
            // Vertex has its own model for that.
            if segments.last?.hasPrefix("count-tokens:") == true { return .countTokens }
            if isVertex(segments.last ?? "") { return .messages }
            if segments.contains("models") { return .models }
            return segments.contains("files") ? .files : .other
        }
        switch segments.dropFirst(index + 1).first {
        case nil: return .messages
        case "count_tokens": return .countTokens
        case "batches": return .batches
        default: return .other
        }
    }

    static func facts(_ segments: [Substring]) -> RequestFacts { Gemini.facts(segments) }

    static func put(_ model: String, into segments: inout [String]) -> Bool { Gemini.put(model, into: &segments) }

    // MARK: Errors

    static let passingErrors: Set = ["api_error"]

    static func remedy(of code: String) -> AttemptOutcome.Remedy? {
        switch code {
        case "rate_limit_error": .otherKeyOrProvider
        case "authentication_error", "permission_error": .otherKey
        case "invalid_request_error", "not_found_error", "request_too_large", "billing_error":
            AttemptOutcome.Remedy.none
        default: nil
        }
    }

    // MARK: Usage

    static let usage = UsageTable(
        [
            "input_tokens": .inputUncached,
            "output_tokens": .output,
            "cache_read_input_tokens": .cacheRead,
            "cache_creation_input_tokens": .cacheWritten,
            "cache_creation.ephemeral_5m_input_tokens": .cacheWritten5m,
            "cache_creation.ephemeral_1h_input_tokens": .cacheWritten1h,
            "output_tokens_details.thinking_tokens": .reasoning,
            "output_tokens_details.reasoning_tokens": .reasoning,
            "server_tool_use.web_search_requests": .webSearches,
            "server_tool_use.web_fetch_requests": .webFetches,
            "service_tier": .serviceTier, "speed": .speed, "inference_geo": .inferenceGeo,
            "cost": .cost,
        ], reportsTwice: true, totals: addUpInput)

    /// What came from the cache, and what went into it, is counted apart.
    @Sendable static func addUpInput(_ counts: UsageReading, _ usage: inout Usage) {
        usage.inputUncached = counts[.inputUncached]
        let (short, long) = (counts[.cacheWritten5m], counts[.cacheWritten1h])
        usage.cacheWrite = counts[.cacheWritten]
        if usage.cacheWrite == nil, short != nil || long != nil { usage.cacheWrite = (short ?? 0) &+ (long ?? 0) }
        usage.add(CacheWrite(seconds: CacheWrite.fiveMinutes, tokens: short ?? 0))
        usage.add(CacheWrite(seconds: CacheWrite.hour, tokens: long ?? 0))
        for write in counts.lifetimes { usage.add(write) }
        usage.inputTotal = counts[.inputUncached].map {
            $0 &+ (usage.cacheWrite ?? 0) &+ (counts[.cacheRead] ?? 0)
        }
    }

    // MARK: Answers

    static func answers(_ operation: Operation) -> AnswerFormat? { operation == .messages ? messages : nil }

    static let messages = AnswerFormat(usage, stream, fields, closing: errorEvent)

    static let stream = AnswerFormat.Stream(
        hasMarker: true, preamble: ["message_start", "ping"], last: ["message_stop"], errors: ["error"])

    static let fields: KeyValuePairs<StaticString, AnswerFormat.Field> = [
        "type": .type, "message.id": .id, "message.model": .model, "message.usage": .firstUsage,
        "delta.stop_reason": .finishReason, "usage": .usage,
        "id": .id, "model": .model, "stop_reason": .finishReason,
        "error": .error, "error.type": .errorType,
    ]

    @Sendable static func errorEvent(_ problem: Problem, _ answer: AnswerObserver) -> [UInt8]? {
        var output = Array("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"".utf8)
        output.append(contentsOf: (problem.status == 504 ? "timeout_error" : "api_error").utf8)
        output.append(contentsOf: "\",\"message\":".utf8)
        output.append(json: problem.message)
        output.append(contentsOf: "}}".utf8)
        return output
    }

    // MARK: Errors

    static var requestIDField: String { "request-id" }
    /// Its SDK knows a type of error for that.
    static var budgetStatus: Int { 402 }

    static func write(_ problem: Problem, requestID: String, to output: inout [UInt8]) {
        output.append(contentsOf: #"{"type":"error","error":{"type":"\#(errorType(problem.status))","message":"#.utf8)
        output.append(json: problem.message)
        output.append(contentsOf: #"},"request_id":"\#(requestID)"}"#.utf8)
    }

    private static func errorType(_ status: Int) -> String {
        switch status {
        case 401: "authentication_error"
        case 402: "billing_error"
        case 403: "permission_error"
        case 404: "not_found_error"
        case 413: "request_too_large"
        case 429: "rate_limit_error"
        case 504: "timeout_error"
        case 529: "overloaded_error"
        case 500...599: "api_error"
        default: "invalid_request_error"
        }
    }
}
