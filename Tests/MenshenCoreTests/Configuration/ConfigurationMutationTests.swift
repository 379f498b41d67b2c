// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import TestSupport
import Testing

/// Damaged configurations: whatever they hold, decoding ends, says something if there is no configuration, and
/// repeats no secret.
@Suite struct ConfigurationMutationTests {
    private static let pieces: [[UInt8]] =
        [
            "[", "]", "[[", "{", "}", "\"", "'", "\"\"\"", "'''", "=", ".", ",", "#", "\n", "\r\n", "\\u0000", "${",
            "}", "$",
            "${KEY}", "-1", "9223372036854775808", "1e400", "nan", "1979-05-27", "off", "é", "\u{FEFF}", "\u{2028}",
            "\u{0}",
            "listen = ", "[server]\n", "[[providers]]\n", "workers", "0", "~/", "true",
        ].map { Array($0.utf8) } + [[0xFF], [0xC3], [0xED, 0xA0, 0x80]]

    @Test func `twenty thousand damaged texts are told apart without a crash`() {
        let seed = UInt64.random(in: .min ... .max)
        print("configuration mutations: seed \(seed)")
        var generator = SeededGenerator(state: seed)
        let small =
            "listen = \":80\"\n[auth]\ntoken = \"${TOKEN}\"\n[[providers]]\nbase_url = \"https://x/v1\"\napi_key = \"${KEY}\"\n"
        let origins = [small, aiMenshenFile, small, String(ConfigurationExample.text(for: .tcp).suffix(700))].map {
            Array($0.utf8)
        }
        var loaded = 0
        for round in 0..<20_000 {
            var bytes = origins[round % origins.count]
            for _ in 0..<Int.random(in: 1...3, using: &generator) { mutate(&bytes, origins, &generator) }
            let decoded = ConfigurationDecoder.decode(bytes, file: "c.toml") { configurationEnvironment[$0] }
            if decoded.configuration == nil {
                #expect(decoded.diagnostics.contains { $0.severity == .error }, "seed \(seed), round \(round)")
            } else {
                loaded += 1
            }
            for diagnostic in decoded.diagnostics where diagnostic.description.utf8.count > 2000 {
                Issue.record("seed \(seed), round \(round): a very long diagnostic")
            }
            if decoded.diagnostics.contains(where: { $0.description.contains("CANARY") }) {
                Issue.record("seed \(seed), round \(round): a secret was repeated")
            }
        }
        #expect((200..<19_800).contains(loaded), "\(loaded) loaded: the mutations are too mild or too wild")
    }

    private func mutate(_ bytes: inout [UInt8], _ origins: [[UInt8]], _ generator: inout SeededGenerator) {
        let place = Int.random(in: 0...bytes.count, using: &generator)
        let end = min(bytes.count, place + Int.random(in: 0...12, using: &generator))
        switch Int.random(in: 0..<5, using: &generator) {
        case 0: bytes.removeSubrange(place..<end)
        case 1: bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0...bytes.count, using: &generator))
        case 2: bytes.replaceSubrange(place..<end, with: Self.pieces.randomElement(using: &generator) ?? [])
        case 3: bytes.insert(contentsOf: Self.pieces.randomElement(using: &generator) ?? [], at: place)
        default: if place < bytes.count { bytes[place] = UInt8.random(in: 0...255, using: &generator) }
        }
    }
}
