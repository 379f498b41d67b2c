// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
package import MenshenCore

/// `prices.toml`, which is read along with the configuration.
package enum PriceFile {
    /// As TOML texts have it at most.
    package static let limit = 1 << 20

    /// Where it stands.
    package static func path(beside configuration: String) -> String {
        let slash = configuration.lastIndex(of: "/").map { configuration.index(after: $0) }
        return configuration[..<(slash ?? configuration.startIndex)] + "prices.toml"
    }

    /// Empty if there is none; nil if it can't be used.
    package static func load(beside configuration: String) -> (overlay: PriceOverlay?, diagnostics: [Diagnostic]) {
        let path = path(beside: configuration)
        do {
            return PriceOverlay.decode(try FileReading.bytes(path, limit: limit), file: path)
        } catch {
            if error.code == FileReading.notFound { return (PriceOverlay(), []) }
            return (nil, [Diagnostic(.error, file: path, line: 0, column: 0, message: "cannot be read: \(error)")])
        }
    }
}
