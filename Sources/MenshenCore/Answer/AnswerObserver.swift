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

    let format: AnswerFormat
    private var framing: AnswerFraming
    /// An answer to such a request is never empty.
    private let needsValue: Bool
    var scanner: JSONScanner
    /// Of an answer in frames, else empty.
    private var framed: [Framed] = []
    var event = Event()
    var reports = UsageReports()
    /// How much of "[DONE]" the data of the present event is; -1 if it is something else.
    private var doneMatch = 0
    var choices = ChoiceEnds()
    /// An answer was refused, and there will be no choice.
    var isBlocked = false
    /// Events of this answer have types.
    var isTyped = false

    package internal(set) var ending = Ending.open
    /// The answer has said its last word: whatever else comes says nothing.
    package internal(set) var isOver = false
    /// An event came that is neither an error nor one that promises nothing yet.
    package internal(set) var hasContent = false
    /// The body has ended within a value of JSON, or within a frame.
    package private(set) var isCut = false
    package internal(set) var model: String?
    package internal(set) var finishReason: String?
    package internal(set) var responseID: String?
    /// Of the last event that had one.
    package internal(set) var sequenceNumber: Int64?

    private struct Framed: Sendable {
        var frames = EventFrames()
        /// Takes an event out of what it is wrapped in.
        var wrapper: JSONScanner?

        /// Longest event of a model that is read, in base64.
        private static let limit = 1 << 20
        private static let paths = JSONPaths(["bytes"])

        init(isWrapped: Bool) {
            if isWrapped { wrapper = JSONScanner(Self.paths, textLimit: Self.limit) }
        }
    }

    /// nil when there is nothing to read: the operation's answers say nothing, or not in a form that is known.
    /// `contentType`: as the answer's head has it; empty if it has none.
    package static func reading(
        _ operation: Operation, contentType: String, asksForStream: Bool = false
    ) -> AnswerObserver? {
        guard let framing = AnswerFraming(contentType: contentType, asksForStream: asksForStream) else { return nil }
        let format = AnswerFormat.of(operation)
        if format.isBare, case .events = framing { return nil }
        return AnswerObserver(operation, format, framing)
    }

    /// An initializer that may fail would copy the observer once more.
    private init(_ operation: Operation, _ format: AnswerFormat, _ framing: AnswerFraming) {
        self.format = format
        self.framing = framing
        needsValue =
            switch operation {
            case .other, .files, .batches, .models, .realtime, .live: false
            default: true
            }
        scanner = JSONScanner(format.paths, takesSequence: true)
        if case .frames = framing { framed = [Framed(isWrapped: format.stream.isWrapped)] }
    }

    /// The body is a stream of events.
    package var isStream: Bool {
        switch framing {
        case .events, .frames: true
        case .json: isArray
        case .unknown, .nothing: false
        }
    }

    var isArray = false

    // The next four change nothing. As `mutating` they are read in place; else an observer inside a class is copied.

    /// It is one, or nothing of it has come that would tell.
    package var mayBeStream: Bool { mutating get { if case .unknown = framing { true } else { isStream } } }

    /// A stream of a kind that says itself when it is whole: without that its end is not to be taken for one.
    package var needsMarker: Bool { mutating get { format.stream.hasMarker && isStream } }

    package var serviceTier: String? { mutating get { reports.serviceTier } }

    package var usage: Usage? { mutating get { reports.usage(format) } }

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
        case .frames: observeFrames(bytes)
        case .unknown(let first, let mayBeJSON): sniff(bytes, first, mayBeJSON)
        case .nothing: break
        }
    }

    /// The transport has ended the body as a whole one.
    package mutating func end() {
        if case .unknown(let first, true) = framing {
            framing = .json
            observe(first.span)
        }
        switch framing {
        case .json:
            takeEvent()
            if !isOver { isCut = scanner.isBlank ? needsValue : !scanner.isFailed && !scanner.isWhole }
            if ending == .open, !isArray, scanner.isWhole { ending = .complete }
        case .events(let stream):
            let isEnough =
                format.stream.hasMarker ? format.stream.endsByReason && hasFinished : stream.isAtBoundary
            if ending == .open, isEnough { ending = .complete }
        case .frames:
            guard ending == .open else { break }
            isCut = !framed[0].frames.isAtBoundary
            // Which models' events have neither type nor count is not known.
            if !isCut, framed[0].wrapper != nil, !isTyped, hasContent { ending = .complete }
        case .unknown, .nothing: break
        }
    }

    /// Where another event may be written behind what was relayed so far.
    package var isAtBoundary: Bool {
        if case .events(let stream) = framing { stream.isAtBoundary } else { false }
    }

    /// Every choice that was seen has a reason to end.
    var hasFinished: Bool { isBlocked || choices.areAll }

    // MARK: What it is

    private mutating func sniff(_ bytes: Span<UInt8>, _ first: [UInt8], _ mayBeJSON: Bool) {
        var first = first
        let count = min(bytes.count, AnswerFraming.firstLimit - first.count)
        first.append(bytes, 0..<count)
        guard let sniffed = AnswerFraming.sniffed(first, mayBeJSON: mayBeJSON) else {
            framing = .unknown(first: first, mayBeJSON: mayBeJSON)
            return
        }
        framing = sniffed
        if format.isBare, isStream { framing = .nothing }
        if !isStream { hasContent = true }
        observe(first.span)
        observe(bytes.extracting(count..<bytes.count))
    }

    // MARK: Events

    private mutating func takeData(_ data: Span<UInt8>) {
        if doneMatch >= 0, format.stream.endsByDone { matchDone(data) }
        if scanner.isFailed { return }
        scanner.feed(data)
        takeFindings()
    }

    /// Some servers have blanks around it.
    private mutating func matchDone(_ data: Span<UInt8>) {
        for index in data.indices {
            if doneMatch < 6, data[index] == ByteSearch.byte(Self.done, doneMatch) {
                doneMatch &+= 1
            } else if doneMatch.isMultiple(of: 6), data[index] == 0x20 || data[index] == 0x09 {
                continue
            } else {
                doneMatch = -1
                return
            }
        }
    }

    /// "[DONE]", first byte lowest.
    private static let done: UInt64 = 0x5D45_4E4F_445B

    /// Output tokens that have come at least: never more than there are, so that nobody is cut off for what is not there.
    package var leastOutput: Int64 {
        mutating get { max(reports.events &- Self.otherEvents, reports.usage(format)?.outputTotal ?? 0) }
    }

    /// A stream has so many events, at most, that carry no token.
    private static let otherEvents: Int64 = 16

    private mutating func endEvent() {
        reports.events &+= 1
        if doneMatch == 6 {
            isOver = true
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
        beginEvent()
    }

    private mutating func beginEvent() {
        event = Event()
        doneMatch = 0
        scanner.reset()
    }

    // MARK: Frames

    private mutating func observeFrames(_ bytes: Span<UInt8>) {
        var index = 0
        while true {
            switch framed[0].frames.next(bytes, &index) {
            case .payload(let range):
                guard framed[0].frames.kind == .event else { break }
                let piece = bytes.extracting(range)
                if framed[0].wrapper?.feed(piece) == nil {
                    scanner.feed(piece)
                    takeFindings()
                }
            case .message: endMessage()
            case .more: return
            case .corrupt:
                // What stood in it is not to be trusted, nor is it known where the next begins.
                beginEvent()
                model = nil
                ending = .open
                isOver = false
                hasContent = true
                return
            }
        }
    }

    private mutating func endMessage() {
        reports.events &+= 1
        if framed[0].frames.kind != .event {
            fail(framed[0].frames.name ?? "error")
        } else {
            if framed[0].wrapper != nil { unwrap() } else { event.type = framed[0].frames.name }
            if scanner.isFailed { hasContent = true } else { takeEvent() }
        }
        beginEvent()
    }

    private mutating func unwrap() {
        if let finding = framed[0].wrapper?.found.last, finding.isWhole, let inner = Base64.decode(finding.text[...]) {
            scanner.feed(inner.span)
            takeFindings()
        }
        framed[0].wrapper?.reset()
    }
}
