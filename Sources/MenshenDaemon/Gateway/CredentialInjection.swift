// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenUpstream

/// Puts the real key where a provider of each kind looks for it.
enum CredentialInjection {
    static func add(_ secret: Secret, as kind: Provider.Kind, to transfer: Transfer) {
        switch kind {
        case .openai, .bedrock: transfer.addHeader("Authorization: Bearer ", secret)
        case .anthropic:
            // An OAuth token of Anthropic's says so in its own prefix; it is refused as an x-api-key.
            let isToken = secret.hasPrefix("sk-ant-oat")
            transfer.addHeader(isToken ? "Authorization: Bearer " : "x-api-key: ", secret)
        case .gemini: transfer.addHeader("x-goog-api-key: ", secret)
        case .azure: transfer.addHeader("api-key: ", secret)
        }
    }
}

extension Transfer {
    /// `start` ends with the separator: "Name: ".
    func addHeader(_ start: StaticString, _ secret: Secret) { secret.withBytes { addHeader(start, $0) } }

    func addHeader(name: String, _ secret: Secret) { secret.withBytes { addHeader(name: name, $0) } }
}
