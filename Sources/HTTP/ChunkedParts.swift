// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A place in the extensions of a chunk (RFC 9112 §7.1.1): `;name`, `;name=token` or `;name="text"`. They mean nothing
/// here, but a parser that looks for the line end elsewhere would see other chunks; so they are read to the letter. Only
/// one that is tolerant takes blanks around the parts, and parts that are empty.
enum ChunkExtension {
    case nameStart, name, nameEnd, valueStart, token, quoted, escaped, valueEnd

    func mayEnd(isTolerant: Bool) -> Bool {
        switch self {
        case .name, .token, .valueEnd: true
        case .nameStart, .nameEnd: isTolerant
        case .valueStart, .quoted, .escaped: false
        }
    }

    /// Takes the next byte; false if it cannot stand here.
    mutating func accept(_ byte: UInt8, isTolerant: Bool) -> Bool {
        switch (self, byte) {
        case (.nameStart, _) where ByteClass.isToken(byte): self = .name
        case (.name, UInt8(ascii: "=")), (.nameEnd, UInt8(ascii: "=")): self = .valueStart
        case (.valueStart, 0x22): self = .quoted
        case (.valueStart, _) where ByteClass.isToken(byte): self = .token
        case (.name, UInt8(ascii: ";")), (.token, UInt8(ascii: ";")), (.valueEnd, UInt8(ascii: ";")),
            (.nameEnd, UInt8(ascii: ";")):
            self = .nameStart
        case (.name, _) where ByteClass.isToken(byte): break
        case (.token, _) where ByteClass.isToken(byte): break
        case (.quoted, 0x22): self = .valueEnd
        case (.quoted, 0x5C): self = .escaped
        case (.quoted, _) where ByteClass.isValue(byte): break
        case (.escaped, _) where ByteClass.isValue(byte): self = .quoted
        case (.nameStart, UInt8(ascii: ";")) where isTolerant: break
        case (_, 0x20) where isTolerant, (_, 0x09) where isTolerant: takeBlank()
        default: return false
        }
        return true
    }

    private mutating func takeBlank() {
        switch self {
        case .name: self = .nameEnd
        case .token: self = .valueEnd
        case .nameStart, .nameEnd, .valueStart, .valueEnd, .quoted, .escaped: break
        }
    }
}

/// Whether a trailer's name, seen byte by byte, is one that frames a message (RFC 9110 §6.5.1 forbids it there).
struct ForbiddenTrailer {
    private static let names = [Array("content-length".utf8), Array("transfer-encoding".utf8)]

    private var length = 0
    private var candidate: Int?

    init(_ first: UInt8) {
        candidate = Self.names.firstIndex { $0[0] == first.lowercased }
        length = 1
    }

    mutating func add(_ byte: UInt8) {
        if let name = candidate, length >= Self.names[name].count || Self.names[name][length] != byte.lowercased {
            candidate = nil
        }
        length += 1
    }

    var isMatch: Bool { candidate.map { Self.names[$0].count == length } ?? false }
}
