// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Compression
internal import HTTP
internal import MenshenCore

/// What a request's body is, by its bytes rather than by its label: agents compress bodies, and curl's `-d` calls JSON a form.
enum BodyKind {
    case json
    case form
    /// Compressed; nil: in a way that is not known here.
    case coded(ContentCoding?)
    case utf16
    case other

    /// `body`: its beginning at least.
    init(_ head: RequestHead, _ body: [UInt8]) {
        if let coding = Self.coding(head) {
            self = .coded(coding)
            return
        }
        let type = head.first(.contentType)
        if let type, Self.begins(head, type, with: Self.multipart) {
            self = .form
        } else if body.first == UInt8(ascii: "{"), body.count < 2 || body[1] != 0 {
            self = .json
        } else if body.starts(with: [0xFE, 0xFF]) || body.starts(with: [0xFF, 0xFE]) || body.prefix(2).contains(0) {
            self = .utf16
        } else if body.starts(with: [0xEF, 0xBB, 0xBF])
            || body.first(where: { $0 != 0x20 && !(9...13).contains($0) }) == UInt8(ascii: "{")
        {
            self = .json
        } else {
            self = type.map { head.text($0).lowercased().contains("json") } ?? true ? .json : .other
        }
    }

    private static let multipart = Array("multipart/".utf8)

    private static func begins(_ head: RequestHead, _ value: Range<Int>, with start: [UInt8]) -> Bool {
        value.count >= start.count
            && head.bytes.span.equals(start, in: value.lowerBound..<value.lowerBound + start.count)
    }

    /// nil: it is not compressed. A nil within: in a way that is not known here.
    static func coding(_ head: RequestHead) -> ContentCoding?? {
        guard let value = head.first(.contentEncoding) else { return nil }
        let coding = ContentCoding(fieldValue: head.bytes[value])
        return coding == .identity ? nil : .some(coding)
    }
}

/// A compressed body of which a copy is read, a part a turn: a few bytes may stand for millions.
struct CodedBody {
    /// Decoded bytes that are read of one: more than any prompt.
    static let limit = 8 << 20
    /// Of a turn: two milliseconds' work.
    static let turn = 256 << 10

    let decoder: Decoder
    var scan = RequestScan()
    var index = 0
}
