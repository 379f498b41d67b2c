// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Testing

/// What the sources may not do, whatever else changes.
@Suite struct Laws {
    private static let swift = Repository.files(below: "Sources", ending: [".swift"])
    private static let code = Repository.files(below: "Sources", ending: [".swift", ".c", ".cpp", ".h"])
    private static let tests = Repository.files(below: "Tests", ending: [".swift"])

    /// Each C module and the targets that may import it: one owner, but for the system calls that the loop, the service
    /// manager's protocol and the sockets share.
    private static let owners: [String: Set<String>] = [
        "CCurl": ["Curl"], "CNghttp2": ["HTTP2"], "CSSL": ["TLS"], "CSQLite": ["SQLite"], "CCrypto": ["Crypto"],
        "CTOML": ["TOML"],
        "CZlib": ["Compression"], "CBrotli": ["Compression"], "CZstd": ["Compression"],
        "CSystemd": ["Systemd"],
        "CLinux": ["Linux", "Reactor", "Systemd"], "CVersion": ["MenshenDaemon"], "CPrices": ["MenshenCore"],
        "CPages": ["MenshenPages"],
    ]

    /// Each with a SAFETY comment beside it.
    private static let unsafeMarks: [String: Int] = [
        "Sources/Linux/ThreadSignal.swift": 1, "Sources/Crypto/Digest.swift": 1, "Sources/TLS/Pipe.swift": 1,
        "Sources/TLS/TLSClient.swift": 1, "Sources/TLS/Trust.swift": 1,
    ]

    @Test func `there is something to judge`() {
        #expect(Self.swift.count > 100)
        #expect(Self.tests.count > 20)
    }

    @Test func `Foundation is not imported, because it brings 50 MB of ICU`() throws {
        for path in Self.swift { #expect(!(try imports(path).contains("Foundation")), "\(path)") }
    }

    @Test func `SwiftNIO is for tests alone`() throws {
        for path in Self.swift { #expect(!(try imports(path).contains { $0.hasPrefix("NIO") }), "\(path)") }
    }

    @Test func `a C module is imported by its owner alone`() throws {
        for path in Self.swift {
            let target = String(path.split(separator: "/")[1])
            for module in try imports(path) {
                if let owners = Self.owners[module] { #expect(owners.contains(target), "\(path) imports \(module)") }
            }
        }
    }

    @Test func `every C module has an owner`() throws {
        let modules = try Repository.targets().filter { $0.hasPrefix("C") && $0.dropFirst().first?.isUppercase == true }
        #expect(Set(modules) == Set(Self.owners.keys))
    }

    @Test func `tests stand in the folders of what they test`() throws {
        for target in try Repository.targets() {
            for path in Repository.files(below: "Tests/\(target)Tests", ending: [".swift"]) {
                // What a target's tests have in common, and those that look at the whole program from outside.
                let folders = path.split(separator: "/").dropFirst(2).dropLast()
                if folders.isEmpty || folders.first == "Support" || target == "MenshenDaemon" { continue }
                #expect(Repository.exists("Sources/\(target)/\(folders.joined(separator: "/"))"), "\(path)")
            }
        }
    }

    @Test func `imports go down the table of targets`() throws {
        let order = try Repository.lines("Sources/README.md").filter { $0.hasPrefix("| `") }
            .map { String($0.dropFirst(3).prefix { $0 != "`" }) }
        for path in Self.swift {
            let own = try #require(order.firstIndex(of: String(path.split(separator: "/")[1])), "\(path)")
            for module in try imports(path) {
                if let other = order.firstIndex(of: module) { #expect(other > own, "\(path) imports \(module)") }
            }
        }
    }

    @Test func `nothing is public, because there is no API to promise`() throws {
        for path in Self.swift {
            for (number, line) in try numbered(path) {
                let words = words(of: line)
                let isOpen = zip(words, words.dropFirst()).contains {
                    $0 == "open" && ["class", "func", "var"].contains($1)
                }
                #expect(!words.contains("public") && !isOpen, "\(path):\(number)")
            }
        }
    }

    @Test func `the compiler's checks are switched off only where the list says so`() throws {
        for path in Self.swift {
            let lines = try numbered(path)
            let marked = lines.filter {
                $0.line.contains("@unchecked Sendable") || $0.line.contains("nonisolated(unsafe)")
            }
            #expect(marked.count == Self.unsafeMarks[path] ?? 0, "\(path): \(marked.map(\.number))")
            for (number, _) in marked {
                let nearby = lines.filter { (number - 6...number + 2).contains($0.number) }
                #expect(
                    nearby.contains { $0.line.contains("SAFETY:") }, "\(path):\(number) does not say why it is safe")
            }
        }
    }

    @Test func `no file is longer than 400 lines`() throws {
        for path in Self.code + Self.tests { #expect(try Repository.lines(path).count <= 401, "\(path)") }
    }

    /// It is read from top to bottom as the life of a request.
    @Test func `Exchange.swift has at most 300 lines`() throws {
        #expect(try Repository.lines("Sources/MenshenDaemon/Exchange/Exchange.swift").count <= 301)
    }

    private static func hasNoComments(_ path: String) -> Bool {
        [".md", ".txt", ".json", ".png"].contains { path.hasSuffix($0) }
    }

    @Test func `each file begins with its licence`() throws {
        let scripts = ["contrib", "systemd", "Tests/python", "Tests/e2e", "Tests/container"].flatMap {
            Repository.files(below: $0, ending: ["", ".sh", ".py", ".service", ".socket"])
        }
        for path in Self.code + Self.tests + scripts where !Self.hasNoComments(path) {
            let head = try Repository.lines(path).prefix(6).joined(separator: "\n")
            #expect(head.contains("SPDX-License-Identifier: Apache-2.0"), "\(path)")
            #expect(head.contains("SPDX-FileCopyrightText: The menshen authors"), "\(path)")
        }
    }

    @Test func `Swift files begin with exactly two lines of licence and an empty one`() throws {
        for path in Self.swift + Self.tests {
            let head = try Repository.lines(path).prefix(3)
            #expect(
                Array(head) == [
                    "// SPDX-License-Identifier: Apache-2.0", "// SPDX-FileCopyrightText: The menshen authors", "",
                ], "\(path)")
        }
    }

    @Test func `nothing is left to be done later`() throws {
        // Spelled in two parts, or this file would break its own law.
        let marks = ["TO" + "DO", "FIX" + "ME", "XX" + "X"]
        for path in Self.code + Self.tests {
            for (number, line) in try numbered(path) {
                #expect(!words(of: line).contains { marks.contains($0) }, "\(path):\(number)")
            }
        }
    }

    // MARK: Reading

    /// Modules that a file imports, whatever stands before the word.
    private func imports(_ path: String) throws -> [String] {
        try Repository.lines(path).compactMap { line in
            let words = line.split(separator: " ")
            guard let index = words.firstIndex(of: "import"), index + 1 < words.count else { return nil }
            guard words[..<index].allSatisfy({ $0.hasPrefix("@") || ["internal", "package", "private"].contains($0) })
            else { return nil }
            // "import struct Module.Type" names the module before the dot.
            let name =
                ["struct", "class", "enum", "func", "protocol", "typealias"].contains(words[index + 1])
                ? words[min(index + 2, words.count - 1)] : words[index + 1]
            return name.split(separator: ".").first.map(String.init)
        }
    }

    private func numbered(_ path: String) throws -> [(number: Int, line: Substring)] {
        try Repository.lines(path).enumerated().map { ($0.offset + 1, $0.element) }
    }

    /// Words of the code of a line, comments and strings left out as far as one line tells.
    private func words(of line: Substring) -> [String] {
        let trimmed = line.drop { $0 == " " }
        if trimmed.hasPrefix("//"), !trimmed.contains("TO" + "DO"), !trimmed.contains("FIX" + "ME") { return [] }
        let code = line.split(separator: "\"", omittingEmptySubsequences: false).enumerated().filter {
            $0.offset % 2 == 0
        }
        .map(\.element).joined(separator: " ")
        return code.split { !$0.isLetter && !$0.isNumber && $0 != "_" && $0 != "." && $0 != "(" }.map(String.init)
    }
}
