// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Where the answers of one family of APIs say what: the fields that are read, and whose rules hold for them.
package struct AnswerFormat: Sendable {
    enum Family: Sendable {
        /// Chat and completions; embeddings and whatever is not known look like them.
        case chat
        case responses
        /// Images, transcriptions and speech: events with a type, the last of which has the usage.
        case typedEvents
        case messages
        case gemini
        case converse
    }

    enum Field: Sendable {
        case type, id, model, serviceTier, finishReason, usage, sequenceNumber, status
        /// The usage that a stream of Anthropic's begins with.
        case firstUsage
        case error, errorType, errorCode
        /// Why an answer of Responses is incomplete.
        case incompleteReason
        /// One answer of a JSON array of them.
        case element
    }

    let family: Family
    let usage: UsageReading.Family
    let paths: JSONPaths
    let fields: [Field]
    /// A stream of this family says itself that it is complete.
    let hasMarker: Bool

    private init(
        _ family: Family, _ usage: UsageReading.Family, hasMarker: Bool, _ rows: KeyValuePairs<StaticString, Field>
    ) {
        self.family = family
        self.usage = usage
        self.hasMarker = hasMarker
        paths = JSONPaths(rows.map(\.key))
        fields = rows.map(\.value)
    }

    /// nil for operations whose answers say nothing of themselves.
    static func of(_ operation: Operation) -> AnswerFormat? {
        switch operation {
        case .chat, .completions: chat
        case .embeddings, .moderations, .other: body
        case .responses, .realtime: responses
        case .images, .transcription, .speech: typedEvents
        case .messages, .invoke: messages
        case .generate, .streamGenerate, .embed, .live: gemini
        case .converse: converse
        case .countTokens, .converseStream, .invokeStream, .files, .batches, .models: nil
        }
    }

    private static let chat = AnswerFormat(
        .chat, .openAI, hasMarker: true,
        [
            "model": .model, "service_tier": .serviceTier, "choices[].finish_reason": .finishReason, "usage": .usage,
            "error": .error, "error.type": .errorType, "error.code": .errorCode,
        ])

    private static let body = AnswerFormat(
        .chat, .openAI, hasMarker: false,
        [
            "model": .model, "service_tier": .serviceTier, "choices[].finish_reason": .finishReason, "usage": .usage,
            "error": .error, "error.type": .errorType, "error.code": .errorCode,
        ])

    /// A body is the object that a stream's last event has in `response`.
    private static let responses = AnswerFormat(
        .responses, .openAI, hasMarker: true,
        [
            "type": .type, "sequence_number": .sequenceNumber, "code": .errorCode,
            "response.id": .id, "response.model": .model, "response.service_tier": .serviceTier,
            "response.usage": .usage, "response.incomplete_details.reason": .incompleteReason,
            "response.error.code": .errorCode, "response.status": .status,
            "id": .id, "model": .model, "service_tier": .serviceTier, "usage": .usage, "status": .status,
            "incomplete_details.reason": .incompleteReason,
            "error": .error, "error.type": .errorType, "error.code": .errorCode,
        ])

    private static let typedEvents = AnswerFormat(
        .typedEvents, .openAI, hasMarker: true,
        [
            "type": .type, "model": .model, "usage": .usage,
            "error": .error, "error.type": .errorType, "error.code": .errorCode,
        ])

    private static let messages = AnswerFormat(
        .messages, .anthropic, hasMarker: true,
        [
            "type": .type, "message.id": .id, "message.model": .model, "message.usage": .firstUsage,
            "delta.stop_reason": .finishReason, "usage": .usage,
            "id": .id, "model": .model, "stop_reason": .finishReason,
            "error": .error, "error.type": .errorType,
        ])

    /// Streams without `alt=sse` are one JSON array.
    private static let gemini = AnswerFormat(
        .gemini, .gemini, hasMarker: true,
        [
            "modelVersion": .model, "responseId": .id, "candidates[].finishReason": .finishReason,
            "promptFeedback.blockReason": .finishReason, "usageMetadata": .usage,
            "error": .error, "error.status": .errorCode,
            "[]": .element, "[].modelVersion": .model, "[].responseId": .id,
            "[].candidates[].finishReason": .finishReason, "[].promptFeedback.blockReason": .finishReason,
            "[].usageMetadata": .usage, "[].error": .error, "[].error.status": .errorCode,
        ])

    private static let converse = AnswerFormat(
        .converse, .converse, hasMarker: false, ["stopReason": .finishReason, "usage": .usage])
}
