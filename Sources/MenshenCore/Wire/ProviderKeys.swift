// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What providers' own keys look like, so that whoever sends one where a token of menshen's belongs is told so. The longest
/// beginning decides; a word that only begins like a key ("sk-dummy") is none.
enum ProviderKeys {
    private static let shortest = 20

    private static let beginnings: [(text: [UInt8], owner: String)] = [
        ("sk-ant-", "Anthropic"), ("sk-proj-", "OpenAI"), ("sk-svcacct-", "OpenAI"), ("sk-admin-", "OpenAI"),
        ("sk-or-", "OpenRouter"), ("sk-", "a provider such as OpenAI"),
        ("AIza", "Google"), ("AQ.", "Google"), ("ya29.", "Google"),
        ("AKIA", "AWS"), ("ASIA", "AWS"), ("ABSK", "AWS Bedrock"), ("bedrock-api-key-", "AWS Bedrock"),
        ("gsk_", "Groq"), ("xai-", "xAI"), ("pplx-", "Perplexity"), ("csk-", "Cerebras"), ("fw_", "Fireworks"),
        ("nvapi-", "NVIDIA"), ("tgp_v1_", "Together"), ("hf_", "Hugging Face"), ("r8_", "Replicate"),
        ("github_pat_", "GitHub"), ("ghp_", "GitHub"), ("gho_", "GitHub"), ("ghu_", "GitHub"),
    ].map { (Array($0.utf8), $1) }

    /// Whose key this looks like; nil: nobody's.
    static func owner(of shown: ArraySlice<UInt8>) -> String? {
        guard shown.count >= shortest, shown.allSatisfy(isOfKey), shown.contains(where: { 48...57 ~= $0 }) else {
            return nil
        }
        let found = beginnings.filter { shown.starts(with: $0.text) }.max { $0.text.count < $1.text.count }
        // Many a made-up token begins like that, in words between dashes; a key behind those three is letters and digits.
        if let found, found.text.elementsEqual("sk-".utf8), !shown.dropFirst(3).allSatisfy(isAlphanumeric) {
            return nil
        }
        return found?.owner
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...90, 97...122: true
        default: false
        }
    }

    private static func isOfKey(_ byte: UInt8) -> Bool {
        if isAlphanumeric(byte) { return true }
        return switch byte {
        case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "="),
            UInt8(ascii: "+"), UInt8(ascii: "/"):
            true
        default: false
        }
    }
}
