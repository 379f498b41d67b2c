// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// The beginning of a body, kept for the database when `[logging]` asks for it.
struct BodyCapture {
    private var bytes: [UInt8] = []
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    mutating func append(_ piece: UnsafeRawBufferPointer) {
        let room = limit - bytes.count
        if room > 0 { bytes.append(contentsOf: piece.prefix(room)) }
    }

    /// The bytes, with each known key overwritten by asterisks, and what the limit left of one at the end.
    func masked(_ keys: SecretSet) -> [UInt8] {
        var copy = bytes
        keys.mask(in: &copy)
        if copy.count == limit { keys.maskBeginning(atEndOf: &copy) }
        return copy
    }
}
