// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP

/// How the values that an answer consists of are told apart.
enum AnswerFraming: Sendable {
    case events(EventStream)
    case frames
    case json
    /// Its first bytes decide. `mayBeJSON`: its label does not say otherwise.
    case unknown(first: [UInt8], mayBeJSON: Bool)
    /// Nothing that is read.
    case nothing

    /// By the label; where a stream was asked for, or without a label, by the bytes. nil: by the label there is nothing to
    /// read.
    init?(contentType: String, asksForStream: Bool) {
        // Bytes: to search a String for another took a quarter of a request's instructions.
        let text = contentType.utf8.span
        let type = 0..<(text.firstIndex(of: UInt8(ascii: ";")) ?? text.count)
        let isJSON = text.contains(Self.jsonLabel, in: type)
        if text.contains(Self.eventStreamLabel, in: type) {
            self = .events(EventStream())
        } else if text.contains(Self.framesLabel, in: type) {
            self = .frames
        } else if asksForStream || text.count == 0 {
            self = .unknown(first: [], mayBeJSON: isJSON || text.count == 0)
        } else if isJSON {
            self = .json
        } else {
            return nil
        }
    }

    private static let eventStreamLabel = Array("text/event-stream".utf8)
    private static let framesLabel = Array("vnd.amazon.eventstream".utf8)
    private static let jsonLabel = Array("json".utf8)

    /// So many bytes are looked at.
    static let firstLimit = 64
    private static let fieldNames = ["data:", "event:", "id:", "retry:", ":"].map { Array($0.utf8) }

    /// What `first` begins; nil if more of it is needed.
    static func sniffed(_ first: [UInt8], mayBeJSON: Bool) -> AnswerFraming? {
        let other = mayBeJSON ? AnswerFraming.json : .nothing
        var text = first[...]
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        if text.starts(with: mark) { text = text.dropFirst(3) } else if mark.starts(with: text) { return nil }
        text = text.drop { JSONScanner.isSpace($0) }
        if text.isEmpty { return first.count < firstLimit ? nil : other }
        for field in fieldNames {
            if text.starts(with: field) { return .events(EventStream()) }
            if field.starts(with: text) { return first.count < firstLimit ? nil : other }
        }
        return other
    }
}
