// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenUpstream

/// Puts the real key where a provider of each kind looks for it.
enum CredentialInjection {
    static func add(_ secret: Secret, as kind: Provider.Kind, to request: some HeaderSink) {
        switch kind {
        case .openai, .bedrock: request.addHeader("Authorization: Bearer ", secret)
        case .anthropic:
            // An OAuth token of Anthropic's says so in its own prefix; it is refused as an x-api-key.
            let isToken = secret.hasPrefix("sk-ant-oat")
            request.addHeader(isToken ? "Authorization: Bearer " : "x-api-key: ", secret)
        case .gemini: request.addHeader("x-goog-api-key: ", secret)
        case .azure:
            // A token of Entra's is a JWT, which a key never looks like.
            request.addHeader(secret.hasPrefix("eyJ") ? "Authorization: Bearer " : "api-key: ", secret)
        }
    }
}

extension HeaderSink {
    /// `start` ends with the separator: "Name: ".
    func addHeader(_ start: StaticString, _ secret: Secret) { secret.withBytes { addHeader(start, $0) } }

    func addHeader(name: String, _ secret: Secret) { secret.withBytes { addHeader(name: name, $0) } }
}
