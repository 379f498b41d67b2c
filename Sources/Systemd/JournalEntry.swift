// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// One journal entry in journald's native form: `KEY=value` lines, or key, length and bytes where the value has a
/// newline.
package struct JournalEntry: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init() { bytes.reserveCapacity(1024) }

    /// Journald's rule: 1 to 64 of A–Z, 0–9 and `_`, not beginning with a digit, nor with `_`, which marks fields that
    /// only journald may set.
    package static func isValid(key: String) -> Bool {
        guard let first = key.utf8.first, key.utf8.count <= 64, (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(first)
        else { return false }
        return key.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
            default: false
            }
        }
    }

    /// Adds a field. False, and nothing is added, if the key is not valid: journald would drop it in silence.
    @discardableResult
    package mutating func append(_ key: String, _ value: String) -> Bool {
        guard Self.isValid(key: key) else { return false }
        append(key.utf8, value)
        return true
    }

    /// Adds a field whose key is valid, which the program's text says: for lists of fields, without a string for each.
    package mutating func append(_ key: StaticString, _ value: String) {
        append(UnsafeBufferPointer(start: key.utf8Start, count: key.utf8CodeUnitCount), value)
    }

    private mutating func append(_ key: some Sequence<UInt8>, _ value: String) {
        bytes.append(contentsOf: key)
        var value = value
        value.withUTF8 { text in
            if text.contains(UInt8(ascii: "\n")) {
                bytes.append(UInt8(ascii: "\n"))
                let count = UInt64(text.count)
                for shift in stride(from: UInt64(0), to: 64, by: 8) {
                    bytes.append(UInt8(truncatingIfNeeded: count >> shift))
                }
            } else {
                bytes.append(UInt8(ascii: "="))
            }
            bytes.append(contentsOf: text)
        }
        bytes.append(UInt8(ascii: "\n"))
    }

    /// Adds the field unless the value is nil.
    package mutating func append(_ key: String, ifKnown value: String?) {
        if let value { append(key, value) }
    }
}
