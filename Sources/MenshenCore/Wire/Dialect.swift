// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import HTTP

/// Whose habits a request follows: decides the shape of errors and which providers fit. Read from the path, and where
/// several APIs share one, from the headers that their SDKs send.
package enum Dialect: String, Sendable, CaseIterable {
    case openai, anthropic, gemini, azure, bedrock

    /// `path` without the query and without a leading `/NAME` of a provider.
    package init(path: String) {
        if path.hasPrefix("/openai/") {
            // Deployments, /openai/v1, and files, batches, responses and the like beside them.
            self = .azure
        } else if Self.isBedrock(path) {
            self = .bedrock
        } else if Self.isAnthropic(path) {
            self = .anthropic
        } else if Self.isGemini(path) {
            self = .gemini
        } else {
            self = .openai
        }
    }

    /// Paths that mean the same to OpenAI, Anthropic and Google: there the head decides.
    package static func isShared(_ path: String) -> Bool {
        var segments = path.split(separator: "/")[...]
        if segments.first == "v1" { segments.removeFirst() }
        return segments.first == "models" && segments.count <= 2 || segments.first == "files"
    }

    /// Of a request to a path that is shared.
    package init(sharedPathOf head: RequestHead) {
        if head.fields.contains(where: { $0.known == .anthropicVersion }) {
            self = .anthropic
        } else if head.fields.contains(where: { $0.known == .googleAPIClient || $0.known == .xGoogAPIKey }) {
            self = .gemini
        } else {
            self = .openai
        }
    }

    /// /model/ID/converse and its like, of the runtime.
    private static func isBedrock(_ path: String) -> Bool {
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
