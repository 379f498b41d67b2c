// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What OpenTelemetry's conventions call things: the one table. All that is about generative AI is still under development
/// there, and some of it about to be renamed; `schema` is what this table follows and goes out with every batch.
package enum GenAINames {
    package static let schema = "https://opentelemetry.io/schemas/1.38.0"

    // Of generative AI.
    static let operation = "gen_ai.operation.name"
    static let provider = "gen_ai.provider.name"
    static let conversation = "gen_ai.conversation.id"
    static let requestModel = "gen_ai.request.model"
    static let requestStream = "gen_ai.request.stream"
    static let answerModel = "gen_ai.response.model"
    static let finishReasons = "gen_ai.response.finish_reasons"
    static let timeToFirstChunk = "gen_ai.response.time_to_first_chunk"
    /// Cached input included.
    static let inputTokens = "gen_ai.usage.input_tokens"
    static let outputTokens = "gen_ai.usage.output_tokens"
    static let cacheRead = "gen_ai.usage.cache_read.input_tokens"
    static let cacheWrite = "gen_ai.usage.cache_creation.input_tokens"
    static let reasoning = "gen_ai.usage.reasoning.output_tokens"

    // Of all services.
    static let errorType = "error.type"
    static let serverAddress = "server.address"
    static let serverPort = "server.port"
    static let clientAddress = "client.address"
    static let transport = "network.transport"
    static let method = "http.request.method"
    static let status = "http.response.status_code"
    static let path = "url.path"
    static let scheme = "url.scheme"
    static let resends = "http.request.resend_count"
    static let serviceName = "service.name"
    static let serviceVersion = "service.version"

    /// nil: the conventions have no word for it.
    static func operation(_ operation: Operation) -> String? {
        switch operation {
        case .chat, .responses, .messages, .converse, .converseStream: "chat"
        case .generate, .streamGenerate: "generate_content"
        case .completions: "text_completion"
        case .embeddings, .embed: "embeddings"
        case .moderations, .images, .speech, .transcription, .realtime, .countTokens, .live, .invoke, .invokeStream,
            .files, .batches, .models, .other:
            nil
        }
    }

    /// By whose price list applies, else by the API that is spoken (a test holds that each has its line); nil where neither tells.
    static func provider(prices: String?, kind: Dialect) -> String? {
        switch (prices, kind.rawValue) {
        case ("openai", _): "openai"
        case ("anthropic", _), (nil, "anthropic"): "anthropic"
        case ("azure", _), (nil, "azure"): "azure.ai.openai"
        case ("aws", _), (nil, "bedrock"): "aws.bedrock"
        case ("google", _), (nil, "gemini"): "gcp.gemini"
        case ("deepseek", _): "deepseek"
        case ("mistral", _): "mistral_ai"
        case ("groq", _): "groq"
        case ("x-ai", _): "x_ai"
        case ("cohere", _): "cohere"
        case ("perplexity", _): "perplexity"
        case ("moonshotai", _): "moonshot_ai"
        default: nil
        }
    }
}

/// Names of our own, for what the conventions have no word for. They are those of the records' columns.
enum MenshenNames {
    static let request = "menshen.request.id"
    static let provider = "menshen.provider"
    static let operation = "menshen.operation"
    static let endState = "menshen.end_state"
    static let problem = "menshen.problem"
    static let attempts = "menshen.attempts"
    static let attempt = "menshen.attempt"
    static let reason = "menshen.reason"
    static let key = "menshen.key"
    static let token = "menshen.token_name"
    static let rule = "menshen.rule"
    static let uid = "menshen.caller_uid"
    static let pid = "menshen.caller_pid"
    static let executable = "menshen.caller_exe"
    static let unit = "menshen.caller_unit"
    static let job = "menshen.caller_job"
    static let project = "menshen.caller_project"
    static let client = "menshen.client"
    static let agent = "menshen.agent"
    static let endUser = "menshen.end_user"
    static let serviceTier = "menshen.service_tier"
    static let firstByte = "menshen.ttfb_us"
    static let total = "menshen.total_us"
    static let bytesIn = "menshen.bytes_in"
    static let bytesOut = "menshen.bytes_out"
    static let cache = "menshen.cache"
    static let usageState = "menshen.usage_state"
    /// Picodollars, as in the records.
    static let cost = "menshen.cost"
    static let costState = "menshen.cost_state"
    static let priceVersion = "menshen.price_version"
    static let requestBody = "menshen.request_body"
    static let responseBody = "menshen.response_body"
}
