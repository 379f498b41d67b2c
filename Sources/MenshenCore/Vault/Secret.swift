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

    /// Whether it begins in `text` at `start`.
    func stands(in text: Span<UInt8>, at start: Int) -> Bool {
        if text.count &- start < bytes.count { return false }
        let secret = bytes
        var length = 0
        while length < secret.count, text[start &+ length] == secret[length] { length &+= 1 }
        return length == secret.count
    }

    /// How many bytes at the end of `text` are its first ones; all of it counts too.
    func beginning(atEndOf text: [UInt8]) -> Int {
        stride(from: min(bytes.count, text.count), to: 0, by: -1).first { count in
            text[(text.count - count)...].elementsEqual(bytes[..<count])
        } ?? 0
    }

    var count: Int { bytes.count }
    subscript(index: Int) -> UInt8 { bytes[index] }

    package var description: String { "<secret>" }
    package var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}
