// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Curl
internal import MenshenCore

/// Puts the real key where a provider of each kind looks for it.
enum CredentialInjection {
    static func add(_ secret: Secret, as kind: Provider.Kind, to lines: HeaderList) {
        switch kind {
        case .openai: lines.add(prefix: "Authorization: Bearer ", secret)
        case .anthropic:
            // An OAuth token of Anthropic's says so in its own prefix; it is refused as an x-api-key.
            let isToken = secret.hasPrefix("sk-ant-oat")
            lines.add(prefix: isToken ? "Authorization: Bearer " : "x-api-key: ", secret)
        case .gemini: lines.add(prefix: "x-goog-api-key: ", secret)
        case .azure: lines.add(prefix: "api-key: ", secret)
        }
    }
}

extension HeaderList {
    func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    func add(prefix: StaticString, _ secret: Secret) {
        beginLine()
        append(prefix)
        append(secret)
        endLine()
    }

    func add(name: String, _ secret: Secret) {
        beginLine()
        var name = name
        name.withUTF8 { append(UnsafeRawBufferPointer($0)) }
        append(secret.isEmpty ? ";" : ": ")
        append(secret)
        endLine()
    }

    private func append(_ secret: Secret) { secret.withBytes { append($0) } }
}
