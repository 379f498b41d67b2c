// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP

extension Dialect {
    package static var azure: Dialect { Dialect(Azure.self) }
}

/// OpenAI's API as Azure has it: with paths of its own and another place for the key.
enum Azure: ProviderAPI {
    static var name: String { "azure" }
    static var version: Substring? { nil }

    static func isHost(_ host: Substring) -> Bool {
        host.isUnder("openai.azure.com") || host.isUnder("cognitiveservices.azure.com")
    }

    static var keyField: FieldName? { .apiKey }
    /// Browsers use it for WebSockets.
    static var keyParameters: [String] { ["api-key"] }
    static var browserFields: [String] { ["api-key"] }
    static var modelParameters: [String] { ["deployment"] }
    static func probe(_ address: BaseURL) -> String { "/openai/v1/models" }

    /// A token of Entra's is a JWT, which a key never looks like.
    static func keyField(for key: Secret) -> StaticString {
        key.hasPrefix("eyJ") ? "Authorization: Bearer " : "api-key: "
    }

    /// Deployments, /openai/v1, and files, batches, responses and the like beside them.
    static func owns(_ path: String) -> Bool { path.hasPrefix("/openai/") }

    /// A provider may be called "openai".
    static func claims(_ path: String, query: String?) -> Bool {
        guard owns(path) else { return false }
        return path.hasPrefix("/openai/deployments/")
            || (query ?? "").split(separator: "&").contains { $0.hasPrefix("api-version=") }
    }

    /// /openai/v1 and /openai/deployments stand side by side, and base_url may be either's.
    static func join(base: String, _ path: Substring) -> String? {
        guard path.hasPrefix("/openai/") else { return nil }
        return base.split(separator: "/").prefix { $0 != "openai" }.map { "/" + $0 }.joined() + path
    }

    /// A deployment may be called "images".
    static func operation(_ segments: [Substring]) -> Operation {
        OpenAI.operation(segments.dropFirst(deployment(segments) == nil ? 0 : 3))
    }

    static func facts(_ segments: [Substring]) -> RequestFacts {
        var facts = RequestFacts()
        facts.model = deployment(segments)
        return facts
    }

    /// The path names it: /openai/deployments/NAME/chat/completions.
    private static func deployment(_ segments: [Substring]) -> String? {
        guard segments.count > 2, segments[0] == "openai", segments[1] == "deployments" else { return nil }
        return String(segments[2])
    }

    static func put(_ model: String, into segments: inout [String]) -> Bool {
        guard segments.count > 3, segments[1] == "openai", segments[2] == "deployments" else { return false }
        segments[3] = model
        return true
    }
}
