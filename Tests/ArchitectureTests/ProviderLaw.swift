// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

/// A provider's API stands in one file, and in one list: no other source's code knows one of them from another. Two tables of
/// texts do, and are held to the list.
@Suite struct ProviderLaw {
    private static let folder = "Sources/MenshenCore/Providers"

    /// Sources that name one API all the same, each with its reason.
    private static let exceptions: [String: String] = [
        "Sources/MenshenStore/Records/RecordColumns.swift": "the manual's table gives examples of a column's values",
        "Sources/MenshenCore/Configuration/SigningSettings.swift": "AWS's settings are Bedrock's alone",
        "Sources/MenshenCore/WebSocket/RealtimeObserver.swift": "reads the messages of OpenAI's Realtime",
    ]

    /// `OpenAI.swift` and its neighbours.
    private static let apis: [String] = Repository.files(below: folder, ending: [".swift"]).compactMap { path in
        let name = path.split(separator: "/").last?.dropLast(6).description ?? ""
        return ["ProviderAPI", "Dialect"].contains(name) ? nil : name
    }

    @Test func `each API in the list has a file of its name`() throws {
        #expect(Self.apis.map { $0.lowercased() }.sorted() == Dialect.allCases.map(\.rawValue).sorted())
        for api in Self.apis {
            #expect(try Repository.text("\(Self.folder)/\(api).swift").contains("enum \(api): ProviderAPI {"))
        }
    }

    @Test func `no source outside Providers names a single API`() throws {
        let types = Set(Self.apis)
        let members = Set(Dialect.allCases.map { "." + $0.rawValue })
        var used: Set<String> = []
        for path in Repository.files(below: "Sources", ending: [".swift"]) where !path.hasPrefix(Self.folder) {
            for (index, line) in try Repository.lines(path).enumerated() {
                guard words(of: line).contains(where: { types.contains(String($0)) || members.contains(String($0)) })
                else { continue }
                used.insert(path)
                #expect(Self.exceptions[path] != nil, "\(path):\(index + 1) \(line)")
            }
        }
        #expect(used == Set(Self.exceptions.keys), "an exception that is not needed any more")
    }

    @Test func `OpenTelemetry's name of each is in the table, but of the one that many servers speak`() throws {
        let table = try Repository.text("Sources/MenshenCore/Telemetry/GenAINames.swift")
        for dialect in Dialect.allCases {
            #expect(table.contains("(nil, \"\(dialect.rawValue)\")") == (dialect != .common), "\(dialect.rawValue)")
        }
    }

    @Test func `the manual's table of kinds has each of them`() throws {
        let manual = try Repository.lines("contrib/manual/configuration.md")
        for dialect in Dialect.allCases {
            #expect(manual.contains { $0.hasPrefix("| `\(dialect.rawValue)` |") }, "\(dialect.rawValue)")
        }
    }

    /// Names in the code of a line, those behind a dot with it and without; texts and comments left out.
    private func words(of line: Substring) -> [Substring] {
        let code = line.replacing("\\\"", with: " ").split(separator: "\"", omittingEmptySubsequences: false)
            .enumerated()
            .filter { $0.offset % 2 == 0 }.map(\.element).joined(separator: " ")
        var words: [Substring] = []
        var rest = (code.firstRange(of: "//").map { code[..<$0.lowerBound] } ?? code[...])
        while let start = rest.firstIndex(where: { $0.isLetter || $0 == "." }) {
            rest = rest[start...]
            let word = rest.prefix(1 + rest.dropFirst().prefix { $0.isLetter || $0.isNumber || $0 == "_" }.count)
            words.append(word)
            if word.first == "." { words.append(word.dropFirst()) }
            rest = rest.dropFirst(word.count)
        }
        return words
    }
}
