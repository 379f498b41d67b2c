// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
internal import HTTP2

/// Header lines as HTTP/2 wants them: small letters, and nothing that is for one hop (RFC 9113 §8.2).
enum HTTP2Fields {
    private enum Fate {
        /// Not of HTTP/2, or said by itself.
        case dropped
        /// Dropped with the fields that it names.
        case connection
        /// Dropped unless it says "trailers".
        case te
        /// The same from request to request, and no secret.
        case indexed
    }

    private struct Known {
        let name: StaticString
        let fate: Fate
    }

    /// Every other field may be a key, whatever it is called, and stays out of the table of fields.
    private static let known: [Known] =
        ["host", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "expect"]
        .map { Known(name: $0, fate: .dropped) }
        + [Known(name: "connection", fate: .connection), Known(name: "te", fate: .te)]
        + [
            ":method", ":scheme", ":authority", "accept", "accept-encoding", "accept-language", "content-type",
            "user-agent", "anthropic-version", "anthropic-beta", "x-stainless-lang", "x-stainless-os",
            "x-stainless-arch", "x-stainless-runtime", "x-stainless-runtime-version", "x-stainless-package-version",
        ]
        .map { Known(name: $0, fate: .indexed) }

    /// Adds each line "Name: value" that goes out. Names become small letters where they stand.
    static func add(_ text: UnsafeMutableRawBufferPointer, to session: Session) {
        let bytes = UnsafeRawBufferPointer(text)
        /// Values of Connection.
        var connection: [Range<Int>] = []
        forEachLine(bytes) { line in
            let (name, value) = split(bytes, line)
            for index in name where (65...90).contains(bytes[index]) { text[index] |= 0x20 }
            if name.count == 10, fate(of: bytes, name) == .connection { connection.append(value) }
        }
        forEachLine(bytes) { line in
            let (name, value) = split(bytes, line)
            let fate = fate(of: bytes, name)
            switch fate {
            case .dropped, .connection: return
            case .te where !equals(bytes, value, "trailers"): return
            default: break
            }
            if connection.contains(where: { names(bytes, $0, bytes[name]) }) { return }
            session.add(
                UnsafeRawBufferPointer(rebasing: bytes[name]), UnsafeRawBufferPointer(rebasing: bytes[value]),
                isIndexed: fate == .indexed)
        }
    }

    /// The lines, without their ends.
    static func forEachLine(_ text: UnsafeRawBufferPointer, _ body: (Range<Int>) -> Void) {
        guard let base = text.baseAddress else { return }
        var start = 0
        while start < text.count, let end = memchr(base + start, 10, text.count - start) {
            let next = UnsafeRawPointer(end) - base + 1
            body(start..<max(start, next - 2))
            start = next
        }
    }

    /// Name and value of a line; the name may begin with a colon.
    private static func split(_ text: UnsafeRawBufferPointer, _ line: Range<Int>) -> (Range<Int>, Range<Int>) {
        guard let colon = text[line].dropFirst().firstIndex(of: 0x3A) else {
            return (line, line.upperBound..<line.upperBound)
        }
        var start = colon + 1
        var end = line.upperBound
        while start < end, isBlank(text[start]) { start += 1 }
        while end > start, isBlank(text[end - 1]) { end -= 1 }
        return (line.lowerBound..<colon, start..<end)
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 9 }

    private static func fate(of text: UnsafeRawBufferPointer, _ name: Range<Int>) -> Fate? {
        known.first { equals(text, name, $0.name) }?.fate
    }

    private static func equals(_ text: UnsafeRawBufferPointer, _ range: Range<Int>, _ other: StaticString) -> Bool {
        guard range.count == other.utf8CodeUnitCount, let base = text.baseAddress else { return false }
        return memcmp(base + range.lowerBound, other.utf8Start, range.count) == 0
    }

    /// Whether a value of Connection names a field.
    private static func names(
        _ text: UnsafeRawBufferPointer, _ value: Range<Int>, _ name: Slice<UnsafeRawBufferPointer>
    ) -> Bool {
        text[value].split(separator: 0x2C).contains { element in
            element.lazy.filter { !isBlank($0) }.map { (65...90).contains($0) ? $0 | 0x20 : $0 }.elementsEqual(name)
        }
    }
}
