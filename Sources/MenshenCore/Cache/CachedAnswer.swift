// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import HTTP

/// A whole answer as the caller got it, with what was recorded of it.
package struct CachedAnswer: Sendable, Equatable {
    package var status: Int
    /// "name: value" CR LF, of the fields that still hold when the answer is given again.
    package var fieldLines: [UInt8]
    package var body: [UInt8]
    package var isStream: Bool
    /// Wall clock, in microseconds.
    package var storedAt: UInt64
    /// Of the request that was answered by a provider.
    package var requestID: RequestID
    package var usage: Usage?
    package var model: String?
    package var finishReason: String?
    package var serviceTier: String?

    package init(
        status: Int, fieldLines: [UInt8], body: [UInt8], isStream: Bool, storedAt: UInt64, requestID: RequestID
    ) {
        self.status = status
        self.fieldLines = fieldLines
        self.body = body
        self.isStream = isStream
        self.storedAt = storedAt
        self.requestID = requestID
    }

    /// Seconds since it was stored, as `Age` wants them; 0 if the clock was set back.
    package func age(now: UInt64) -> Int64 { now > storedAt ? Int64(clamping: (now - storedAt) / 1_000_000) : 0 }

    /// A key of ours stands in it, as in the error of a provider that repeats what it was sent: not to be stored.
    package func holds(_ keys: SecretSet) -> Bool { keys.occurs(in: body.span) || keys.occurs(in: fieldLines.span) }

    /// What describes the body, and the API's version. Everything else belongs to the exchange of then: request ids,
    /// rate limits, times, cookies, the organisation that paid, and what proxies on the way added.
    private static let replayed: Set<String> = [
        "content-type", "content-encoding", "content-language", "openai-version",
    ]

    package static func fieldLines(of head: ResponseHead) -> [UInt8] {
        var lines: [UInt8] = []
        for field in head.fields where replayed.contains(head.bytes.text(field.name).lowercased()) {
            lines += head.bytes[field.name.lowerBound..<field.value.upperBound]
            lines += [13, 10]
        }
        return lines
    }

    /// The body is a stream of events that can be told apart as it stands.
    var isEventStream: Bool {
        var isEvents = false
        for line in fieldLines.split(separator: 10) {
            let text = String(decoding: line, as: UTF8.self).lowercased()
            if text.hasPrefix("content-type:") { isEvents = text.contains("text/event-stream") }
            if text.hasPrefix("content-encoding:"), !text.contains("identity") { return false }
        }
        return isEvents
    }
}

/// Cuts a stored stream into its events, so that it is given again as it came. Comments go with the event after them;
/// whatever is no plain stream of events is one piece.
package struct EventSplitter: Sendable {
    private let body: [UInt8]
    private let isSplit: Bool
    private var stream = EventStream()
    /// What has been read, and what has been handed out.
    private var index = 0
    private var position = 0

    package init(_ answer: CachedAnswer) {
        body = answer.body
        isSplit = answer.isStream && answer.isEventStream
    }

    /// Of a body that is no event stream: so much goes at a time, so that a caller that does not read holds no copy of all.
    private static let part = 64 << 10

    /// The next piece of the body; nil at its end.
    package mutating func next() -> Range<Int>? {
        let start = position
        guard start < body.count else { return nil }
        position = isSplit ? endOfEvent() : min(body.count, start + Self.part)
        return start..<position
    }

    private mutating func endOfEvent() -> Int {
        let body = body
        let bytes = body.span
        while true {
            switch stream.next(bytes, &index) {
            case .dispatch:
                // The LF of a CR LF belongs to its line; the stream passes over it by itself.
                return body[index - 1] == 13 && index < body.count && body[index] == 10 ? index + 1 : index
            case .more: return body.count
            case .data, .nextLine, .passed: break
            }
        }
    }
}
