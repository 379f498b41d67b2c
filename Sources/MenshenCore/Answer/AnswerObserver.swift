// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP

/// Reads, beside the relay, what an answer says of itself: usage, why it ended, and whether it came to its end. It is
/// given every decoded piece of the body and changes none; cutting the body elsewhere changes nothing it finds. What can't
/// be understood is passed over. Keeps a few short strings and the last usage object.
package struct AnswerObserver: Sendable {
    package enum Ending: Sendable, Equatable {
        /// Nothing said yet that the answer is whole.
        case open
        case complete
        /// An error event; its type or code.
        case failed(String)
    }

    private enum Framing: Sendable {
        case events(EventStream)
        case json
    }

    private let format: AnswerFormat
    private var framing: Framing
    private var scanner: JSONScanner
    private var event = Event()
    /// Anthropic's reports add to each other.
    private var reading: UsageReading?
    /// Elsewhere the last one is read when somebody asks: some servers have one in every event.
    private var lastUsage: [UInt8]?
    /// How much of "[DONE]" the data of the present event is; -1 if it is something else.
    private var doneMatch = 0
    private var hasFinish = false

    package private(set) var ending = Ending.open
    /// An event came that is neither an error nor one that promises nothing yet.
    package private(set) var hasContent = false
    package private(set) var model: String?
    package private(set) var finishReason: String?
    package private(set) var responseID: String?
    /// Of the last event that had one.
    package private(set) var sequenceNumber: Int64?
    private var ownServiceTier: String?

    /// Values of the present event, which may name its type last.
    private struct Event: Sendable {
        var type: String?
        var usage: [UInt8]?
        var firstUsage: [UInt8]?
        var finishReason: String?
        var incompleteReason: String?
        var status: String?
        var hasError = false
        var errorType: String?
        var errorCode: String?
    }

    /// nil when there is nothing to read: the operation's answers say nothing, or not in a form that is known.
    /// `contentType`: as the answer's head has it.
    package init?(_ operation: Operation, contentType: String) {
        guard let format = AnswerFormat.of(operation) else { return nil }
        // Bytes: to search a String for another took a quarter of a request's instructions.
        let text = contentType.utf8.span
        let type = 0..<(text.firstIndex(of: UInt8(ascii: ";")) ?? text.count)
        if text.contains(Self.eventStream, in: type) {
            framing = .events(EventStream())
        } else if text.contains(Self.json, in: type) {
            framing = .json
        } else {
            return nil
        }
        self.format = format
        scanner = JSONScanner(format.paths)
    }

    private static let eventStream = Array("text/event-stream".utf8)
    private static let json = Array("json".utf8)

    /// The body is a stream of events.
    package var isStream: Bool {
        if case .events = framing { true } else { isArray }
    }

    private var isArray = false

    // The next three change nothing. As `mutating` they are read in place; else an observer inside a class is copied.

    /// A stream of a kind that says itself when it is whole: without that its end is not to be taken for one.
    package var needsMarker: Bool { mutating get { format.hasMarker && isStream } }

    package var serviceTier: String? { mutating get { ownServiceTier ?? reading?.serviceTier } }

    package var usage: Usage? {
        mutating get {
            if let reading { return reading.usage }
            guard let lastUsage else { return nil }
            var reading = UsageReading(format.usage)
            reading.add(lastUsage)
            return reading.usage
        }
    }

    package mutating func observe(_ bytes: Span<UInt8>) {
        switch framing {
        case .json:
            scanner.feed(bytes)
            takeFindings()
        case .events(var stream):
            var index = 0
            while true {
                switch stream.next(bytes, &index) {
                case .data(let range): takeData(bytes.extracting(range))
                case .nextLine: doneMatch = -1
                case .dispatch: endEvent()
                case .passed: break
                case .more:
                    framing = .events(stream)
                    return
                }
            }
        }
    }

    /// The transport has ended the body as a whole one.
    package mutating func end() {
        switch framing {
        case .json:
            takeEvent()
            guard !isArray else {
                if ending == .open, hasFinish, scanner.isComplete { ending = .complete }
                return
            }
            if ending == .open { ending = .complete }
        case .events:
            // Compatible servers that know no [DONE], and Google, only stop; what they gave as a reason must do.
            let isEnough = format.family == .chat && format.hasMarker || format.family == .gemini
            if ending == .open, !format.hasMarker || isEnough && hasFinish { ending = .complete }
        }
    }

    /// Where another event may be written behind what was relayed so far.
    package var isAtBoundary: Bool {
        if case .events(let stream) = framing { stream.isAtBoundary } else { false }
    }

    var family: AnswerFormat.Family { format.family }

    // MARK: Events

    private mutating func takeData(_ data: Span<UInt8>) {
        if doneMatch >= 0, format.family == .chat {
            for index in data.indices {
                guard doneMatch < 6, data[index] == ByteSearch.byte(Self.done, doneMatch) else {
                    doneMatch = -1
                    break
                }
                doneMatch &+= 1
            }
        }
        if scanner.isFailed { return }
        scanner.feed(data)
        takeFindings()
    }

    /// "[DONE]", first byte lowest.
    private static let done: UInt64 = 0x5D45_4E4F_445B

    private mutating func endEvent() {
        if doneMatch == 6 {
            // What an error event said stays said.
            if ending == .open {
                ending = .complete
                hasContent = true
            }
        } else if !scanner.isFailed {
            takeEvent()
        } else {
            hasContent = true
        }
        event = Event()
        doneMatch = 0
        scanner.reset()
    }

    private mutating func takeFindings() {
        if scanner.found.isEmpty { return }
        for finding in scanner.found {
            let text = finding.string
            switch format.fields[finding.path] {
            case .type: event.type = text
            case .id: responseID = text ?? responseID
            case .model: model = text ?? model
            case .serviceTier: ownServiceTier = text ?? ownServiceTier
            case .finishReason: event.finishReason = text ?? event.finishReason
            case .usage: if finding.kind == .object, finding.isWhole { event.usage = finding.text }
            case .firstUsage: if finding.kind == .object, finding.isWhole { event.firstUsage = finding.text }
            case .sequenceNumber: sequenceNumber = finding.count ?? sequenceNumber
            case .status: event.status = text
            case .incompleteReason: event.incompleteReason = text
            case .error: event.hasError = finding.kind == .object || finding.kind == .string
            case .errorType: event.errorType = text
            case .errorCode: event.errorCode = text ?? event.errorCode
            case .element:
                isArray = true
                takeEvent()
                event = Event()
            }
        }
        scanner.found.removeAll(keepingCapacity: true)
    }

    /// What an event, an element of an array, or a whole body said.
    private mutating func takeEvent() {
        if let first = event.firstUsage { addUsage(first) }
        if let usage = event.usage { addUsage(usage) }
        if let reason = event.finishReason ?? event.incompleteReason {
            finishReason = reason
            hasFinish = true
        }
        if let failure {
            if ending == .open { ending = .failed(failure) }
        } else {
            if !isPreamble { hasContent = true }
            if ending == .open, isLast { ending = .complete }
        }
    }

    private mutating func addUsage(_ object: [UInt8]) {
        guard format.usage == .anthropic else { return lastUsage = object }
        if reading == nil { reading = UsageReading(format.usage) }
        reading?.add(object)
    }

    /// Type or code of the error that the event is.
    private var failure: String? {
        switch format.family {
        case .responses:
            guard event.type == "error" || event.type == "response.failed" || event.status == "failed" else {
                return nil
            }
            return event.errorCode ?? event.errorType ?? "error"
        case .messages: return event.type == "error" ? event.errorType ?? "error" : nil
        case .typedEvents:
            return event.type == "error" || event.hasError ? event.errorCode ?? event.errorType ?? "error" : nil
        case .chat: return event.hasError ? event.errorCode ?? event.errorType ?? "error" : nil
        case .gemini: return event.hasError ? event.errorCode ?? "error" : nil
        case .converse: return nil
        }
    }

    /// Providers send these before they know whether they will answer.
    private var isPreamble: Bool {
        switch (format.family, event.type) {
        case (.responses, "response.created"), (.responses, "response.in_progress"), (.responses, "response.queued"),
            (.messages, "message_start"), (.messages, "ping"):
            true
        default: false
        }
    }

    private var isLast: Bool {
        guard isStream, let type = event.type else { return false }
        switch format.family {
        case .responses: return type == "response.completed" || type == "response.incomplete"
        case .messages: return type == "message_stop"
        case .typedEvents:
            return type.hasSuffix(".completed") || type == "transcript.text.done" || type == "speech.audio.done"
        case .chat, .gemini, .converse: return false
        }
    }
}
