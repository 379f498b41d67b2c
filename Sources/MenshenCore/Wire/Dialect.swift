// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import HTTP

/// Whose habits a request follows: decides the shape of errors and which providers fit. Read from the path where that
/// belongs to one API alone, else from what the caller's SDK sends with every request.
package enum Dialect: String, Sendable, CaseIterable {
    case openai, anthropic, gemini, azure, bedrock

    /// What the path alone says; OpenAI's, which most servers speak, where it says nothing. `path` without the query and
    /// without a leading `/NAME` of a provider.
    package init(path: String) { self = Self.decided(by: path) ?? .openai }

    /// nil for paths that several APIs have, or that are not known: there the head decides.
    package static func decided(by path: String) -> Dialect? {
        // Deployments, /openai/v1, and files, batches, responses and the like beside them.
        if path.hasPrefix("/openai/") { return .azure }
        if isBedrock(path) { return .bedrock }
        if isAnthropic(path) { return .anthropic }
        if isGemini(path) { return .gemini }
        return isOpenAI(path) ? .openai : nil
    }

    /// Whose SDK has sent the head: by the fields that only one of them has, else by the one that its key came in.
    /// `query`: the name of a credential in the query.
    package init(sentBy head: RequestHead, credentialInQuery query: String? = nil) {
        var isGoogle = false
        var isAmazon = false
        var byKey: Dialect?
        for field in head.fields {
            switch field.known {
            case .anthropicVersion, .anthropicBeta:
                self = .anthropic
                return
            case .googleAPIClient: isGoogle = true
            case .amazonDate, .amazonInvocation: isAmazon = true
            case .authorization: isAmazon = isAmazon || TokenGate.isSignature(head.bytes[field.value])
            case .xAPIKey: byKey = byKey ?? .anthropic
            case .xGoogAPIKey: byKey = byKey ?? .gemini
            case .apiKey: byKey = byKey ?? .azure
            default: break
            }
        }
        if query == "key" || query == "access-token" { byKey = byKey ?? .gemini }
        if query == "api-key" { byKey = byKey ?? .azure }
        self = isGoogle ? .gemini : isAmazon ? .bedrock : byKey ?? .openai
    }

    /// What OpenAI's API makes answers with, and nobody else's: also below a gateway's own prefix.
    private static func isOpenAI(_ path: String) -> Bool {
        if path.contains("/openai/") || path.hasSuffix("/chat/completions") { return true }
        var segments = path.split(separator: "/")[...]
        if segments.first == "v1" { segments.removeFirst() }
        switch segments.first {
        case "chat", "completions", "responses", "embeddings", "moderations", "images", "audio", "realtime": return true
        default: return false
        }
    }

    /// /model/ID/converse and its like, of the runtime.
    static func isBedrock(_ path: String) -> Bool {
        guard path.hasPrefix("/model/") else { return false }
        switch path.split(separator: "/").dropFirst(2).last {
        case "converse", "converse-stream", "invoke", "invoke-with-response-stream": return true
        default: return false
        }
    }

    private static func isAnthropic(_ path: String) -> Bool {
        // At Google's Vertex; the answers are Anthropic's.
        if RequestFacts.isVertex(path) { return true }
        let segments = path.split(separator: "/")
        guard let messages = segments.lastIndex(of: "messages") else { return false }
        // OpenAI's have messages too: /v1/threads/ID/messages, /v1/chat/completions/ID/messages.
        return !segments[..<messages].contains { $0 == "threads" || $0 == "completions" }
    }

    private static func isGemini(_ path: String) -> Bool {
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
}
