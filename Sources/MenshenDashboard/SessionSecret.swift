// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Crypto

/// A random text that opens something as long as the process lives: 160 bits, of letters and digits.
struct SessionSecret: Sendable {
    private static let letters = Array("abcdefghijkmnpqrstuvwxyz23456789".utf8)

    let text: String
    private let digest: Digest

    init() {
        var generator = SystemRandomNumberGenerator()
        // 32 letters, 5 bits each.
        text = String(
            decoding: (0..<32).map { _ in Self.letters[Int.random(in: 0..<32, using: &generator)] }, as: UTF8.self)
        digest = Digest(of: text.utf8)
    }

    /// In the same time wherever they differ.
    func isSame(as shown: some StringProtocol) -> Bool { Digest(of: Array(shown.utf8)) == digest }
}
