// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

extension Dialect {
    package static var openai: Dialect { Dialect(OpenAI.self) }
}

/// What most servers speak. Paths, fields and errors.
enum OpenAI: ProviderAPI {
    static var name: String { "openai" }
    static var hasOtherVersions: Bool { true }

    static var browserFields: [String] {
        ["openai-beta"]
            + [
                "arch", "helper-method", "lang", "os", "package-version", "retry-count", "runtime", "runtime-version",
                "timeout",
            ].map { "x-stainless-" + $0 }
    }

    /// What this API makes answers with, and nobody else's: also below a gateway's own prefix.
    static func owns(_ path: String) -> Bool {
        if path.contains("/openai/") || path.hasSuffix("/chat/completions") { return true }
        var segments = path.split(separator: "/")[...]
        if segments.first == "v1" { segments.removeFirst() }
        switch segments.first {
        case "chat", "completions", "responses", "embeddings", "moderations", "images", "audio", "realtime": return true
        default: return false
        }
    }

    static func begins(with segment: Substring) -> Bool {
        switch segment {
        case "chat", "completions", "responses", "embeddings", "models", "images", "audio", "files", "batches",
            "moderations", "uploads", "fine_tuning", "vector_stores", "assistants", "threads", "realtime",
            "conversations", "containers", "videos", "evals":
            true
        default: false
        }
    }

    static func operation(_ segments: ArraySlice<Substring>) -> Operation {
        for (index, segment) in segments.enumerated() {
            switch segment {
            case "chat": if segments.dropFirst(index + 1).first == "completions" { return .chat }
            case "completions": return .completions
            case "responses": return segments.last == "input_tokens" ? .countTokens : .responses
            case "embeddings": return .embeddings
            case "moderations": return .moderations
            case "images": return .images
            case "audio":
                switch segments.dropFirst(index + 1).first {
                case "speech": return .speech
                case "transcriptions", "translations": return .transcription
                default: break
                }
            case "realtime": return .realtime
            case "files", "uploads": return .files
            case "batches": return .batches
            // Vertex runs Google's own models by the names that list them.
            case "models": return segments.contains("publishers") ? .other : .models
            default: break
            }
        }
        return .other
    }

    /// OpenRouter lists its models to everybody.
    static func probe(_ address: BaseURL) -> String {
        address.host[...].isUnder("openrouter.ai") ? "/v1/key" : "/v1/models"
    }

    static let passingErrors: Set = ["server_error", "internal_server_error"]

    static func remedy(of code: String) -> AttemptOutcome.Remedy? {
        switch code {
        case "rate_limit_exceeded", "insufficient_quota": .otherKeyOrProvider
        case "invalid_api_key": .otherKey
        case "invalid_request_error", "invalid_prompt", "context_length_exceeded", "model_not_found",
            "content_policy_violation", "content_filter", "image_content_policy_violation":
            AttemptOutcome.Remedy.none
        default: nil
        }
    }

    static func writeError(_ problem: Problem, to output: inout [UInt8]) {
        let type = (500...599).contains(problem.status) ? "server_error" : "invalid_request_error"
        output.append(contentsOf: #"{"error":{"message":"#.utf8)
        output.append(json: problem.message)
        output.append(contentsOf: #","type":"\#(type)","param":null,"code":"\#(problem.code.rawValue)"}}"#.utf8)
    }
}

// MARK: Usage

extension OpenAI {
    /// Chat says prompt and completion, Responses and Images input and output, Realtime `token` in the singular,
    /// DeepSeek `prompt_cache_hit_tokens`.
    static let usage = UsageTable(
        [
            "prompt_tokens": .input, "input_tokens": .input,
            "completion_tokens": .output, "output_tokens": .output,
            "prompt_cache_hit_tokens": .cacheRead,
            "prompt_tokens_details.cached_tokens": .cacheRead,
            "prompt_tokens_details.cache_write_tokens": .cacheWritten,
            "prompt_tokens_details.audio_tokens": .audioIn,
            "prompt_tokens_details.image_tokens": .imageIn,
            "input_tokens_details.cached_tokens": .cacheRead,
            "input_tokens_details.cache_write_tokens": .cacheWritten,
            "input_tokens_details.audio_tokens": .audioIn,
            "input_tokens_details.image_tokens": .imageIn,
            "input_token_details.cached_tokens": .cacheRead,
            "input_token_details.audio_tokens": .audioIn,
            "input_token_details.image_tokens": .imageIn,
            "completion_tokens_details.reasoning_tokens": .reasoning,
            "completion_tokens_details.audio_tokens": .audioOut,
            "completion_tokens_details.image_tokens": .imageOut,
            "completion_tokens_details.accepted_prediction_tokens": .acceptedPrediction,
            "completion_tokens_details.rejected_prediction_tokens": .rejectedPrediction,
            "output_tokens_details.reasoning_tokens": .reasoning,
            "output_tokens_details.audio_tokens": .audioOut,
            "output_tokens_details.image_tokens": .imageOut,
            "output_token_details.reasoning_tokens": .reasoning,
            "output_token_details.audio_tokens": .audioOut,
            "output_token_details.image_tokens": .imageOut,
            "seconds": .seconds,
            // Of what is not tokens, and of what it costs, only others that speak like OpenAI tell: OpenRouter, Perplexity, xAI.
            "server_tool_use.web_search_requests": .webSearches,
            "cost": .cost, "cost.total_cost": .cost, "cost_in_usd_ticks": .costTicks,
        ], totals: splitInput)

    /// What came from the cache is a part of the input.
    @Sendable private static func splitInput(_ counts: UsageReading, _ usage: inout Usage) {
        usage.inputTotal = counts[.input]
        let written = counts[.cacheWritten]
        usage.cacheWrite = written
        guard let total = counts[.input], let read = counts[.cacheRead] else { return }
        let rest = total - read - (written ?? 0)
        if rest >= 0 { usage.inputUncached = rest }
    }
}

// MARK: Answers

extension OpenAI {
    static func answers(_ operation: Operation) -> AnswerFormat? {
        switch operation {
        case .chat, .completions: chat
        case .responses, .realtime: responses
        case .embeddings, .moderations, .other: body
        case .images, .transcription, .speech: typedEvents
        default: nil
        }
    }

    /// Chat and completions. Compatible servers that know no [DONE] only stop; what they gave as a reason must do.
    private static let chat = AnswerFormat(
        usage,
        .init(hasMarker: true, endsByDone: true, endsByReason: true, failsByMember: true, goesOnAfterError: true),
        chatFields, closing: errorChunk)

    /// Embeddings, and whatever is not known, look like them.
    private static let body = AnswerFormat(
        usage, .init(endsByDone: true, failsByMember: true, goesOnAfterError: true), chatFields, closing: errorChunk)

    /// Groq and Moonshot have put a stream's usage where nobody else does.
    private static let chatFields: KeyValuePairs<StaticString, AnswerFormat.Field> = [
        "model": .model, "service_tier": .serviceTier,
        "choices[]": .choice, "choices[].index": .choiceIndex, "choices[].finish_reason": .finishReason,
        "usage": .usage, "choices[].usage": .sideUsage, "x_groq.usage": .sideUsage,
        "error": .error, "error.type": .errorType, "error.code": .errorCode,
    ]

    /// A body is the object that a stream's last event has in `response`.
    private static let responses = AnswerFormat(
        usage,
        .init(
            hasMarker: true, preamble: ["response.created", "response.in_progress", "response.queued"],
            last: ["response.completed", "response.incomplete"], errors: ["error", "response.failed"]),
        [
            "type": .type, "sequence_number": .sequenceNumber, "code": .errorCode,
            "response.id": .id, "response.model": .model, "response.service_tier": .serviceTier,
            "response.usage": .usage, "response.incomplete_details.reason": .incompleteReason,
            "response.error.code": .errorCode, "response.status": .status,
            "id": .id, "model": .model, "service_tier": .serviceTier, "usage": .usage, "status": .status,
            "incomplete_details.reason": .incompleteReason,
            "error": .error, "error.type": .errorType, "error.code": .errorCode,
        ], closing: failedResponse)

    /// Images, transcriptions and speech: events with a type, the last of which has the usage. Some servers stream a
    /// transcription as if it were a chat.
    private static let typedEvents = AnswerFormat(
        usage,
        .init(
            hasMarker: true, endsByDone: true, last: ["transcript.text.done", "speech.audio.done"],
            lastSuffix: ".completed", errors: ["error"], failsByMember: true),
        [
            "type": .type, "model": .model, "usage": .usage, "choices[].finish_reason": .finishReason,
            "error": .error, "error.type": .errorType, "error.code": .errorCode,
        ])

    @Sendable private static func errorChunk(_ problem: Problem, _ answer: AnswerObserver) -> [UInt8]? {
        var output = Array("data: ".utf8)
        writeError(problem, to: &output)
        return output
    }

    @Sendable private static func failedResponse(_ problem: Problem, _ answer: AnswerObserver) -> [UInt8]? {
        guard let responseID = answer.responseID else { return nil }
        var output = Array("event: response.failed\ndata: {\"type\":\"response.failed\",".utf8)
        if let number = answer.sequenceNumber {
            output.append(contentsOf: "\"sequence_number\":\(number + 1),".utf8)
        }
        output.append(contentsOf: "\"response\":{\"id\":".utf8)
        output.append(json: responseID)
        output.append(
            contentsOf: ",\"object\":\"response\",\"status\":\"failed\",\"output\":[],\"error\":{\"code\":".utf8)
        output.append(json: "server_error")
        output.append(contentsOf: ",\"message\":".utf8)
        output.append(json: problem.message)
        output.append(contentsOf: "}}}".utf8)
        return output
    }
}
