// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What a request asks its provider to do. Read from method and path alone; recorded by its raw value.
package enum Operation: String, Sendable, CaseIterable {
    case chat, responses, completions, embeddings, moderations, images, speech, transcription, realtime
    case messages
    case countTokens = "count_tokens"
    case generate
    case streamGenerate = "stream_generate"
    case embed, live
    case converse
    case converseStream = "converse_stream"
    case invoke
    case invokeStream = "invoke_stream"
    case files, batches, models, other

    /// `path` without the query and without a leading `/NAME` of a provider.
    package init(_ dialect: Dialect, path: String) {
        let segments = path.split(separator: "/")
        switch dialect {
        case .openai: self = Self.openAI(segments[...])
        // A deployment may be called "images".
        case .azure: self = Self.openAI(segments.dropFirst(RequestFacts.azureDeployment(path) == nil ? 0 : 3))
        case .anthropic: self = Self.anthropic(segments)
        case .gemini: self = Self.gemini(segments)
        case .bedrock: self = Self.bedrock(segments)
        }
    }

    /// Whether the provider charges for it, so that an answer without usage leaves the cost unknown. What is only looked
    /// up or stored has none, nor has moderation; `isLookUp`: by GET what another request has paid for is fetched, by
    /// DELETE it is taken away.
    package func hasUsage(isLookUp: Bool) -> Bool {
        switch self {
        case .moderations, .countTokens, .files, .batches: false
        case .realtime, .live: true
        default: !isLookUp
        }
    }

    /// Whether its requests may name a model in their body. Lists and stored files do not.
    package var namesModel: Bool {
        switch self {
        case .files, .batches, .models: false
        default: true
        }
    }

    private static func openAI(_ segments: ArraySlice<Substring>) -> Operation {
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

    private static func anthropic(_ segments: [Substring]) -> Operation {
        guard let index = segments.lastIndex(of: "messages") else {
            // Vertex has its own model for that.
            if segments.last?.hasPrefix("count-tokens:") == true { return .countTokens }
            if RequestFacts.isVertex(segments.last ?? "") { return .messages }
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

    private static func gemini(_ segments: [Substring]) -> Operation {
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

    private static func bedrock(_ segments: [Substring]) -> Operation {
        switch segments.last {
        case "converse": .converse
        case "converse-stream": .converseStream
        case "invoke": .invoke
        case "invoke-with-response-stream": .invokeStream
        default: .other
        }
    }
}
