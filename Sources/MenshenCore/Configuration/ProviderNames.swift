// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import TOML

/// Who is called what: names given in the text first, then kinds with a number.
struct ProviderNames {
    private let given: [String?]
    var explicit: Set<String> { Set(given.compactMap { $0 }) }

    /// First segments of paths that callers use without naming a provider. "openai" is not among them: Azure's
    /// `/openai/deployments/…` is told apart by its second segment.
    private static let reserved: Set<String> = [
        "_menshen", "chat", "completions", "embeddings", "models", "responses", "messages", "images", "audio", "files",
        "batches", "moderations", "uploads", "realtime", "threads", "assistants", "vector_stores", "fine_tuning",
    ]

    init(_ sections: [ConfigurationSection]) {
        var given: [String?] = []
        var places: [String: SourceSpan] = [:]
        for section in sections {
            guard let name = section.text("name") else {
                given.append(nil)
                continue
            }
            if let earlier = places[name.text] {
                section.reading.error(
                    at: name.span, "providers[].name: another provider has this name, on line \(earlier.line)")
            } else if !Self.isName(name.text) {
                section.reading.error(
                    at: name.span,
                    "providers[].name must begin with a-z or 0-9, go on with these or \".\", \"_\", \"-\", and have 64 characters at most",
                    hint: "it is part of paths, as in /NAME/v1/chat/completions")
            } else if Self.isReserved(name.text) {
                section.reading.error(
                    at: name.span, "providers[].name is a word that callers' paths begin with",
                    hint: "choose another name, such as \"openai-2\"")
            }
            places[name.text] = name.span
            given.append(name.text)
        }
        self.given = given
    }

    func name(_ index: Int, _ kind: Dialect, _ taken: inout Set<String>) -> String {
        if let name = given[index] { return name }
        var name = kind.rawValue
        var number = 2
        while taken.contains(name) {
            name = "\(kind.rawValue)-\(number)"
            number += 1
        }
        taken.insert(name)
        return name
    }

    private static func isName(_ text: String) -> Bool {
        func isAlphanumeric(_ byte: UInt8) -> Bool { (48...57).contains(byte) || (97...122).contains(byte) }
        guard let first = text.utf8.first, isAlphanumeric(first), text.utf8.count <= 64 else {
            return text == "_menshen"
        }
        return text.utf8.allSatisfy {
            isAlphanumeric($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-")
        }
    }

    /// Also every API version: v1, v1beta, v2, …
    private static func isReserved(_ name: String) -> Bool {
        if reserved.contains(name) { return true }
        let rest = name.utf8.dropFirst()
        return name.hasPrefix("v") && (48...57).contains(rest.first ?? 0)
            && rest.allSatisfy { (48...57).contains($0) || (97...122).contains($0) }
    }
}
