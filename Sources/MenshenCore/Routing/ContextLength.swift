// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// How providers say that a request is too long for its model. Only OpenAI's API has a code for it; the others have words,
/// which are looked for only where the configuration knows a provider that takes more.
package enum ContextLength {
    /// OpenAI's, and ours in records.
    package static let code = "context_length_exceeded"

    /// Statuses that such an answer has.
    package static func mayBeSaid(by status: Int) -> Bool { status == 400 || status == 413 || status == 422 }

    private static let paths = JSONPaths([
        "error.code", "error.type", "error.message", "code", "type", "message", "detail", "error",
        "[].error.message",
    ])
    private static let codes: Set = [code, "exceed_context_size_error"]
    /// Of OpenAI and vLLM, xAI, Anthropic (two), Gemini, Bedrock, llama.cpp, Mistral, Cohere and TGI.
    private static let words = [
        "maximum context length", "maximum prompt length", "prompt is too long", "exceed context limit",
        "input token count", "input is too long", "context size", "context window", "too many tokens",
        "`inputs` tokens + `max_new_tokens`",
    ].map { Array($0.utf8) }

    /// `body`: of the answer, decoded.
    package static func isExceeded(_ body: [UInt8]) -> Bool {
        var scanner = JSONScanner(paths)
        scanner.feed(body.span)
        return scanner.found.contains { finding in
            guard let text = finding.string else { return false }
            return codes.contains(text) || says(text)
        }
    }

    private static func says(_ text: String) -> Bool {
        let lowered = Array(text.lowercased().utf8)
        return words.contains { word in
            guard word.count <= lowered.count else { return false }
            return (0...lowered.count - word.count).contains { lowered[$0...].starts(with: word) }
        }
    }
}
