// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

/// A text with faults, and what is said about it, word for word.
struct FaultCase: CustomTestStringConvertible {
    var name: String
    var text: String
    var expected: [String]

    var testDescription: String { name }
}

/// Every value that must stay out of diagnostics holds this word.
private let canary = "CANARY"

let configurationEnvironment: [String: String] = [
    "HOME": "/home/alice", "KEY": "sk-\(canary)-key", "TOKEN": "tok-\(canary)-1", "BROKEN": "sk-\(canary)\n",
    "EMPTY": "",
    "OPENAI_API_KEY": "sk-\(canary)-openai", "PROXY_TOKEN": "tok-\(canary)-proxy",
    "OPENAI_KEY_1": "sk-\(canary)-one", "OPENAI_KEY_2": "sk-\(canary)-two", "LAPTOP_TOKEN": "tok-\(canary)-laptop",
]

func decodeConfiguration(_ text: String, file: String = "c.toml") -> DecodedConfiguration {
    ConfigurationDecoder.decode(text, file: file) { configurationEnvironment[$0] }
}

@Suite struct ConfigurationFaultTests {
    @Test(arguments: configurationFaults + routingFaults + cacheFaults + metricsFaults)
    func `a fault is told with its place and what to do`(fault: FaultCase) {
        let decoded = decodeConfiguration(fault.text)
        let lines = decoded.diagnostics.flatMap { $0.description.split(separator: "\n").map(String.init) }
        #expect(lines == fault.expected)
        #expect((decoded.configuration == nil) == decoded.diagnostics.contains { $0.severity == .error })
        #expect(!lines.joined().contains(canary), "a value was repeated")
    }

    @Test func `all faults of a text are told at once, in the order of the text`() {
        let text = """
            listen = "8080"
            verbos = true
            [server]
            workers = 0
            [auth]
            token = "${MISSING}"
            [[providers]]
            base_url = "ftp://x"
            weight = "heavy"
            """
        let decoded = decodeConfiguration(text)
        #expect(decoded.configuration == nil)
        #expect(decoded.diagnostics.map(\.line) == [1, 2, 4, 6, 8, 9])
    }

    @Test(arguments: ["[auth]\npassword = 1", "[[providers]]\nbase_url = \"http://x\"\nmax_concurrent = -1"])
    func `a value that two settings are made of is told once`(text: String) {
        let faults = decodeConfiguration(text).diagnostics.map(\.description)
        #expect(!faults.isEmpty)
        #expect(Set(faults).count == faults.count)
    }

    @Test func `bytes that are not UTF-8 are one fault`() {
        let decoded = ConfigurationDecoder.decode([0x61, 0x3D, 0xFF], file: "c.toml") { _ in nil }
        #expect(decoded.configuration == nil)
        #expect(decoded.diagnostics.count == 1)
    }

    @Test(arguments: ConfigurationKey.all.map(\.path))
    func `no key's value is repeated, whatever is wrong with it`(path: String) throws {
        let key = try #require(ConfigurationKey.byPath[path])
        let values = [
            "\"CANARY\"", "\"${KEY}\"", "\"${BROKEN}\"", "\"${CANARY KEY}\"", "[\"CANARY /\"]", "[\"${KEY}\", 1]",
            "{ \"a b\" = \"${KEY}\" }", "CANARY", "tCANARY", "\"CANARY", "'CANARY' x", "\"CANARY\\u0000\\n\"",
        ]
        for value in values {
            let section = key.section
            let header =
                section.isEmpty ? "" : section.hasSuffix("[]") ? "[[\(section.dropLast(2))]]\n" : "[\(section)]\n"
            let decoded = decodeConfiguration("\(header)\(key.name) = \(value)\n")
            #expect(!decoded.diagnostics.isEmpty)
            #expect(!decoded.diagnostics.contains { $0.description.contains(canary) }, "\(value)")
        }
    }
}
