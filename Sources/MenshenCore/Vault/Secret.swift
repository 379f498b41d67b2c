// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import Crypto

/// A key, token or password. It has no way to be printed, encoded or compared by accident, and its bytes are
/// overwritten when the last reference goes.
package final class Secret: Sendable, CustomStringConvertible, CustomReflectable {
    private let bytes: [UInt8]

    package init(_ bytes: [UInt8]) { self.bytes = bytes }
    package convenience init(_ text: String) { self.init(Array(text.utf8)) }

    deinit {
        // SAFETY: nobody else can hold the array: it is private and never handed out.
        unsafe bytes.withUnsafeBytes { stored in
            unsafe wipe(UnsafeMutableRawBufferPointer(mutating: stored))
        }
    }

    package var isEmpty: Bool { bytes.isEmpty }
    package var digest: Digest { Digest(of: bytes) }

    /// Appends the bytes to a buffer that its owner wipes.
    package func append(to buffer: inout [UInt8]) { buffer += bytes }

    /// Lends the bytes for one call; whoever copies them wipes the copy.
    package func withBytes(_ body: (UnsafeRawBufferPointer) -> Void) {
        unsafe bytes.withUnsafeBytes { unsafe body($0) }
    }

    package func hasPrefix(_ text: String) -> Bool { bytes.starts(with: text.utf8) }

    /// What is shorter stands in other words as well.
    private static let shortestMasked = 4

    /// Overwrites every place of the secret in `text` with asterisks.
    package func mask(in text: inout [UInt8]) {
        var index = 0
        while let place = find(in: text.span, from: index) {
            for index in place..<place + bytes.count { text[index] = UInt8(ascii: "*") }
            index = place + bytes.count
        }
    }

    /// Whether it stands anywhere in `text`, as `mask` would find it.
    package func occurs(in text: [UInt8]) -> Bool { find(in: text.span, from: 0) != nil }

    /// The text with every place of the secret overwritten. Most texts do not hold it, and stay as they are.
    package func masked(_ text: String?) -> String? {
        guard let text, find(in: text.utf8.span, from: 0) != nil else { return text }
        var masked = Array(text.utf8)
        mask(in: &masked)
        return String(decoding: masked, as: UTF8.self)
    }

    package func masked(_ text: String) -> String { masked(Optional(text)) ?? text }

    private func find(in text: Span<UInt8>, from start: Int) -> Int? {
        if text.count &- start < bytes.count { return nil }
        let secret = bytes
        guard secret.count >= Self.shortestMasked else { return nil }
        // By its last two bytes: keys begin like words, and an answer of megabytes is looked through for each of them.
        let last = secret.count &- 1
        var next = start &+ last &- 1
        while let end = ByteSearch.second(of: secret[last &- 1], secret[last], in: text, from: next) {
            var length = 0
            while length < last, text[end &- last &+ length] == secret[length] { length &+= 1 }
            if length == last { return end &- last }
            next = end
        }
        return nil
    }

    /// Overwrites the end of a text that was cut off within the secret.
    package func maskBeginning(atEndOf text: inout [UInt8]) {
        guard bytes.count >= Self.shortestMasked else { return }
        for count in stride(from: min(bytes.count, text.count), to: 0, by: -1)
        where text[(text.count - count)...].elementsEqual(bytes[..<count]) {
            for place in text.count - count..<text.count { text[place] = UInt8(ascii: "*") }
            return
        }
    }

    package var description: String { "<secret>" }
    package var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}
