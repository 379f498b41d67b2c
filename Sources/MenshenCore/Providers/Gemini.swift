// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP

extension Dialect {
    package static var gemini: Dialect { Dialect(Gemini.self) }
}

/// Google's Gemini, and its Live API by WebSocket.
enum Gemini: ProviderAPI {
    static var name: String { "gemini" }
    static func probe(_ address: BaseURL) -> String { "/v1beta/models?pageSize=1" }
    static var version: Substring? { "v1beta" }

    static func isHost(_ host: Substring) -> Bool { host == "generativelanguage.googleapis.com" }

    static var ownFields: [FieldName] { [.googleAPIClient] }
    static var keyField: FieldName? { .xGoogAPIKey }
    /// The Live API has `access_token`.
    static var keyParameters: [String] { ["key", "access-token"] }
    static var browserFields: [String] { ["x-goog-api-key"] }
    static func keyField(for key: Secret) -> StaticString { "x-goog-api-key: " }

    /// Vertex has Anthropic's models below the same prefixes.
    static func owns(_ path: String) -> Bool { isLike(path) && !Anthropic.owns(path) }

    private static func isLike(_ path: String) -> Bool {
        // The Live API's WebSocket.
        if path.hasPrefix("/ws/google.ai.generativelanguage.") { return true }
        if path.hasPrefix("/v1beta/") || path.hasPrefix("/v1alpha/") { return !path.contains("/openai/") }
        if path.hasPrefix("/upload/v1beta/") || path.hasPrefix("/download/v1beta/") { return true }
        guard let last = path.split(separator: "/").last, let colon = last.firstIndex(of: ":") else { return false }
        switch last[last.index(after: colon)...] {
        case "generateContent", "streamGenerateContent", "countTokens", "embedContent", "batchEmbedContents":
            return true
        default: return false
        }
    }

    static func operation(_ segments: [Substring]) -> Operation {
        let last = segments.last ?? ""
        if let colon = last.lastIndex(of: ":") {
            switch last[last.index(after: colon)...] {
            case "generateContent": return .generate
            case "streamGenerateContent": return .streamGenerate
            case "countTokens": return .countTokens
            case "embedContent", "batchEmbedContents": return .embed
            default: return .other
            }
        }
        if last.hasSuffix("BidiGenerateContent") { return .live }
        if segments.contains("files") { return .files }
        if segments.contains("batches") { return .batches }
        return segments.contains("models") ? .models : .other
    }

    /// Google carries both in the path: /v1beta/models/MODEL:streamGenerateContent. So does Vertex for Anthropic's
    /// models, but for counting tokens, where the body has the model.
    static func facts(_ segments: [Substring]) -> RequestFacts {
        var facts = RequestFacts()
        guard let last = segments.last, let colon = last.lastIndex(of: ":") else { return facts }
        let name = last[..<colon]
        if name != "count-tokens" { facts.model = String(name) }
        facts.isStream = last[colon...].hasPrefix(":stream")
        return facts
    }

    static func put(_ model: String, into segments: inout [String]) -> Bool {
        guard let last = segments.last, let colon = last.lastIndex(of: ":"), last[..<colon] != "count-tokens"
        else { return false }
        segments[segments.count - 1] = model + last[colon...]
        return true
    }

    /// WebSockets carry the version in their own way (/ws/google.ai.generativelanguage.v1beta.…), files behind a prefix
    /// (/upload/v1beta/files).
    static func join(base: String, _ path: Substring) -> String? {
        guard ["/ws/", "/upload/", "/download/"].contains(where: path.hasPrefix),
            let tail = base.split(separator: "/").last, RequestTarget.isVersion(tail)
        else { return nil }
        return String(base.dropLast(tail.count + 1)) + path
    }

    // MARK: Errors

    static let passingErrors: Set = ["INTERNAL"]

    static func remedy(of code: String) -> AttemptOutcome.Remedy? {
        switch code {
        case "RESOURCE_EXHAUSTED": .otherKeyOrProvider
        case "UNAUTHENTICATED", "PERMISSION_DENIED": .otherKey
        case "INVALID_ARGUMENT", "FAILED_PRECONDITION", "NOT_FOUND", "OUT_OF_RANGE": AttemptOutcome.Remedy.none
        default: nil
        }
    }

    // MARK: Usage

    /// The lists of what came from the cache are parts of the prompt's.
    static let usage = UsageTable(
        [
            "promptTokenCount": .input,
            "toolUsePromptTokenCount": .toolInput,
            "cachedContentTokenCount": .cacheRead,
            "candidatesTokenCount": .candidates, "responseTokenCount": .candidates,
            "thoughtsTokenCount": .reasoning,
            "promptTokensDetails[]": .modalityIn,
            "promptTokensDetails[].modality": .modality, "promptTokensDetails[].tokenCount": .modalityCount,
            "toolUsePromptTokensDetails[]": .modalityIn,
            "toolUsePromptTokensDetails[].modality": .modality,
            "toolUsePromptTokensDetails[].tokenCount": .modalityCount,
            "candidatesTokensDetails[]": .modalityOut,
            "candidatesTokensDetails[].modality": .modality, "candidatesTokensDetails[].tokenCount": .modalityCount,
            "responseTokensDetails[]": .modalityOut,
            "responseTokensDetails[].modality": .modality, "responseTokensDetails[].tokenCount": .modalityCount,
        ], totals: addThoughts)

    /// Google leaves zeros out, so what is absent beside a total is 0.
    @Sendable private static func addThoughts(_ counts: UsageReading, _ usage: inout Usage) {
        if let prompt = counts[.input] {
            let read = counts[.cacheRead] ?? 0
            let total = prompt &+ (counts[.toolInput] ?? 0)
            usage.inputTotal = total
            usage.cacheRead = read
            if total >= read { usage.inputUncached = total &- read }
        }
        guard counts[.candidates] != nil || counts[.reasoning] != nil else { return }
        usage.outputTotal = (counts[.candidates] ?? 0) &+ (counts[.reasoning] ?? 0)
    }

    // MARK: Answers

    static func answers(_ operation: Operation) -> AnswerFormat? {
        switch operation {
        case .generate, .streamGenerate, .embed, .live: format
        default: nil
        }
    }

    /// Streams without `alt=sse` are one JSON array. Google's only stop, and what they gave as a reason must do.
    private static let format = AnswerFormat(
        usage,
        .init(
            hasMarker: true, endsByReason: true, failsByMember: true, goesOnAfterError: true,
            emptyReason: "REASON_UNSPECIFIED"),
        [
            "modelVersion": .model, "responseId": .id,
            "candidates[]": .choice, "candidates[].index": .choiceIndex, "candidates[].finishReason": .finishReason,
            "promptFeedback.blockReason": .blockReason, "usageMetadata": .usage,
            "error": .error, "error.status": .errorCode,
            "": .list, "[]": .element, "[].modelVersion": .model, "[].responseId": .id,
            "[].candidates[]": .choice, "[].candidates[].index": .choiceIndex,
            "[].candidates[].finishReason": .finishReason, "[].promptFeedback.blockReason": .blockReason,
            "[].usageMetadata": .usage, "[].error": .error, "[].error.status": .errorCode,
        ])

    // MARK: Errors

    static func write(_ problem: Problem, requestID: String, to output: inout [UInt8]) {
        output.append(contentsOf: #"{"error":{"code":\#(problem.status),"message":"#.utf8)
        output.append(json: problem.message)
        output.append(contentsOf: #","status":"\#(errorStatus(problem.status))"}}"#.utf8)
    }

    private static func errorStatus(_ status: Int) -> String {
        switch status {
        case 401: "UNAUTHENTICATED"
        case 403, 421: "PERMISSION_DENIED"
        case 404: "NOT_FOUND"
        case 429: "RESOURCE_EXHAUSTED"
        case 500: "INTERNAL"
        case 501: "UNIMPLEMENTED"
        case 504: "DEADLINE_EXCEEDED"
        case 502, 503: "UNAVAILABLE"
        default: "INVALID_ARGUMENT"
        }
    }
}
