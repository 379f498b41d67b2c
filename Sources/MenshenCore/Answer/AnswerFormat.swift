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
        /// Says nothing of itself; only whether it is whole is read.
        case bare
    }

    enum Field: Sendable {
        case type, id, model, serviceTier, finishReason, usage, sequenceNumber, status
        /// The usage that a stream of Anthropic's begins with.
        case firstUsage
        /// Usage in a place of somebody's own, which counts if there is no other.
        case sideUsage
        /// One of several answers in one, and its number.
        case choice, choiceIndex
        /// Why no answer is given at all.
        case blockReason
        case error, errorType, errorCode
        /// Why an answer of Responses is incomplete.
        case incompleteReason
        /// One answer of a JSON array of them, and the array.
        case element, list
    }

    let family: Family
    let usage: UsageReading.Family
    let paths: JSONPaths
    let fields: [Field]
    /// A stream of this family says itself that it is complete.
    let hasMarker: Bool
    /// Its marker is "[DONE]".
    var hasDone: Bool { family == .chat || family == .typedEvents }
    /// Of `sideUsage`: that is Bedrock's own count where the model is Anthropic's.
    var sideUsage: UsageReading.Family { usage == .anthropic ? .converse : usage }

    private init(
        _ family: Family, _ usage: UsageReading.Family, hasMarker: Bool, _ rows: KeyValuePairs<StaticString, Field>,
        _ more: KeyValuePairs<StaticString, Field> = [:]
    ) {
        self.family = family
        self.usage = usage
        self.hasMarker = hasMarker
        paths = JSONPaths(rows.map(\.key) + more.map(\.key))
        fields = rows.map(\.value) + more.map(\.value)
    }

    static func of(_ operation: Operation) -> AnswerFormat {
        switch operation {
        case .chat, .completions: chat
        case .embeddings, .moderations, .other: body
        case .responses, .realtime: responses
        case .images, .transcription, .speech: typedEvents
        case .messages, .invoke: messages
        case .invokeStream: invokeStream
        case .generate, .streamGenerate, .embed, .live: gemini
        case .converse: converse
        case .converseStream: converseStream
        case .countTokens, .files, .batches, .models: bare
        }
    }

    private static let chat = AnswerFormat(.chat, .openAI, hasMarker: true, chatFields)
    private static let body = AnswerFormat(.chat, .openAI, hasMarker: false, chatFields)

    /// Groq and Moonshot have put a stream's usage where nobody else does.
    private static let chatFields: KeyValuePairs<StaticString, Field> = [
        "model": .model, "service_tier": .serviceTier,
        "choices[]": .choice, "choices[].index": .choiceIndex, "choices[].finish_reason": .finishReason,
        "usage": .usage, "choices[].usage": .sideUsage, "x_groq.usage": .sideUsage,
        "error": .error, "error.type": .errorType, "error.code": .errorCode,
    ]

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

    /// Some servers stream a transcription as if it were a chat.
    private static let typedEvents = AnswerFormat(
        .typedEvents, .openAI, hasMarker: true,
        [
            "type": .type, "model": .model, "usage": .usage, "choices[].finish_reason": .finishReason,
            "error": .error, "error.type": .errorType, "error.code": .errorCode,
        ])

    private static let messages = AnswerFormat(.messages, .anthropic, hasMarker: true, messageFields)
    /// The last event of each model's stream has Bedrock's own count.
    private static let invokeStream = AnswerFormat(
        .messages, .anthropic, hasMarker: true, messageFields, ["amazon-bedrock-invocationMetrics": .sideUsage])

    private static let messageFields: KeyValuePairs<StaticString, Field> = [
        "type": .type, "message.id": .id, "message.model": .model, "message.usage": .firstUsage,
        "delta.stop_reason": .finishReason, "usage": .usage,
        "id": .id, "model": .model, "stop_reason": .finishReason,
        "error": .error, "error.type": .errorType,
    ]

    /// Streams without `alt=sse` are one JSON array.
    private static let gemini = AnswerFormat(
        .gemini, .gemini, hasMarker: true,
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

    private static let converse = AnswerFormat(
        .converse, .converse, hasMarker: false, ["stopReason": .finishReason, "usage": .usage])
    /// The type of an event stands in its frame.
    private static let converseStream = AnswerFormat(
        .converse, .converse, hasMarker: true, ["stopReason": .finishReason, "usage": .usage])

    private static let bare = AnswerFormat(.bare, .openAI, hasMarker: false, [:])
}
