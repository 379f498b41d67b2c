// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Who shares answers.
package enum CacheScope: String, Sendable, CaseIterable {
    /// Each caller has answers of its own.
    case caller
    /// All callers of this menshen share them.
    case instance

    /// What of a caller goes into the key.
    package func identity(tokenName: String?, uid: UInt32?) -> [String] {
        switch self {
        case .instance: []
        case .caller: [tokenName.map { "token \($0)" }, uid.map { "uid \($0)" }].compactMap { $0 }
        }
    }
}

extension Operation {
    /// Whether the answer to a POST is text, vectors or structured data that depends on the request alone, as far as a
    /// model's answer does. `path`: without the query. What is made, stored, cancelled or looked up there is not.
    package func isCacheable(path: String) -> Bool {
        let last = path.split(separator: "/").last ?? ""
        switch self {
        // /v1/chat/completions/ID changes a stored one, /v1/responses/ID/cancel ends one.
        case .chat, .completions: return last == "completions"
        case .responses: return last == "responses"
        case .messages: return last == "messages"
        case .embeddings: return last == "embeddings"
        case .generate, .streamGenerate, .embed: return true
        default: return false
        }
    }
}

/// Requests whose answers are more than a text: they go on from a state that the provider keeps, or act on something.
enum CachePolicy {
    private enum Path: Int { case background, previous, conversation, container, servers, tool }

    private static let paths = JSONPaths([
        "background", "previous_response_id", "conversation", "container", "mcp_servers", "tools[].type",
    ])

    /// Tools that run at the provider or beyond it and may leave something changed. A search only looks.
    private static let acting = ["mcp", "code_interpreter", "code_execution", "shell", "hosted_shell"]

    static func isStateful(_ operation: Operation, _ body: [UInt8]) -> Bool {
        guard operation == .responses || operation == .messages else { return false }
        var scanner = JSONScanner(paths)
        scanner.feed(body.span)
        return scanner.found.contains { finding in
            switch Path(rawValue: finding.path) {
            case .background: finding.kind != .false && finding.kind != .null
            case .tool: finding.string.map { type in acting.contains { type.hasPrefix($0) } } ?? true
            default: finding.kind != .null
            }
        }
    }
}
