// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What a field of a provider's usage object stands for.
enum UsageSlot: Int, Sendable, CaseIterable {
    /// Input with and without what a cache gave or took.
    case input, inputUncached
    /// Input of tools, which Google counts apart.
    case toolInput
    case cacheRead, cacheWritten, cacheWritten5m, cacheWritten1h
    /// Output with and without reasoning.
    case output, candidates, reasoning
    case audioIn, audioOut, imageIn, imageOut
    case acceptedPrediction, rejectedPrediction, webSearches, webFetches
    case seconds, serviceTier
    /// Google's lists of tokens by modality: an element of one, and what is in it.
    case modalityIn, modalityOut, modality, modalityCount
}

/// The usage objects of one family of APIs: where what stands.
struct UsageTable: Sendable {
    let paths: JSONPaths
    let slots: [UsageSlot]

    private init(_ rows: KeyValuePairs<StaticString, UsageSlot>) {
        paths = JSONPaths(rows.map(\.key))
        slots = rows.map(\.value)
    }

    /// Chat says prompt and completion, Responses and Images input and output, Realtime `token` in the singular,
    /// DeepSeek `prompt_cache_hit_tokens`.
    static let openAI = UsageTable([
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
    ])

    static let anthropic = UsageTable([
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
        "service_tier": .serviceTier,
    ])

    /// The lists of what came from the cache are parts of the prompt's.
    static let gemini = UsageTable([
        "promptTokenCount": .input,
        "toolUsePromptTokenCount": .toolInput,
        "cachedContentTokenCount": .cacheRead,
        "candidatesTokenCount": .candidates, "responseTokenCount": .candidates,
        "thoughtsTokenCount": .reasoning,
        "promptTokensDetails[]": .modalityIn,
        "promptTokensDetails[].modality": .modality, "promptTokensDetails[].tokenCount": .modalityCount,
        "toolUsePromptTokensDetails[]": .modalityIn,
        "toolUsePromptTokensDetails[].modality": .modality, "toolUsePromptTokensDetails[].tokenCount": .modalityCount,
        "candidatesTokensDetails[]": .modalityOut,
        "candidatesTokensDetails[].modality": .modality, "candidatesTokensDetails[].tokenCount": .modalityCount,
        "responseTokensDetails[]": .modalityOut,
        "responseTokensDetails[].modality": .modality, "responseTokensDetails[].tokenCount": .modalityCount,
    ])

    /// Bedrock's own, by Converse and by what it adds to a model's stream; its cache lives five minutes.
    static let converse = UsageTable([
        "inputTokens": .inputUncached,
        "outputTokens": .output,
        "cacheReadInputTokens": .cacheRead,
        "cacheWriteInputTokens": .cacheWritten,
        "inputTokenCount": .inputUncached,
        "outputTokenCount": .output,
        "cacheReadInputTokenCount": .cacheRead,
        "cacheWriteInputTokenCount": .cacheWritten,
    ])
}
