// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Compression
internal import HTTP
internal import MenshenCore
internal import MenshenUpstream

/// Reads what a provider's answer says of itself, beside the relay: its model, usage and end. What the answer says counts,
/// and not how its transport ends: a transport can end cleanly in the middle of a JSON text, and break, or fall silent,
/// behind a stream's last word.
struct AnswerReader {
    /// nil if the answer says nothing that is understood.
    private var observer: AnswerObserver?
    /// Decodes a side copy of an encoded answer for the observer; the relay passes it as it is.
    private var decoder: Decoder?
    /// Takes the usage chunk out that menshen alone has asked for.
    @Boxed private var filter: UsageChunkFilter?
    /// The answer as it may be stored, as far as it has come.
    @Boxed private var storing: StoredPart?

    // MARK: The head

    /// The usage chunk that will come is nobody's but menshen's.
    mutating func expectAddedUsage() { filter = UsageChunkFilter() }

    var filters: Bool { mutating get { filter != nil } }

    /// Whether the answer will be shorter than its length says.
    mutating func willShorten(_ head: ResponseHead) -> Bool {
        guard filter != nil, head.status == 200 else { return false }
        let isPlain = head.first(.contentEncoding).map { ContentCoding(fieldValue: $0.utf8) == .identity } ?? true
        // Streams are known without their content type, too.
        return isPlain && head.first(.contentType)?.lowercased().contains("json") != true
    }

    /// An answer begins. `isContent`: it is a file that somebody has stored at the provider, which is what it is.
    mutating func begin(
        _ head: ResponseHead, _ operation: Operation, asksForStream: Bool, isContent: Bool,
        _ framing: ResponseHead.Framing?
    ) {
        if framing == ResponseHead.Framing.none { return }
        if let encoding = head.first(.contentEncoding) {
            let coding = ContentCoding(fieldValue: encoding.utf8)
            if coding != .identity { filter = nil }
            guard let coding else { return }
            if coding != .identity {
                decoder = Decoder(coding)
                if decoder == nil { return }
            }
        }
        if operation == .files, isContent { return }
        observer = AnswerObserver.reading(
            operation, contentType: head.first(.contentType) ?? "", asksForStream: asksForStream)
        if filter == nil { return }
        // A filtered answer has another length than was announced.
        let hasLength = if case .fixed = framing { true } else { false }
        if hasLength || observer?.mayBeStream != true { filter = nil }
    }

    /// Keeps what goes down from here on, to store it once it is whole.
    mutating func beginStoring(_ head: ResponseHead) {
        if observer != nil { storing = StoredPart(fieldLines: CachedAnswer.fieldLines(of: head)) }
    }

    // MARK: The body

    mutating func observe(_ bytes: UnsafeRawBufferPointer) {
        guard observer != nil else { return }
        guard let decoder else { return bytes.withMemoryRebound(to: UInt8.self) { observer?.observe($0.span) } }
        let outcome = decoder.decode(bytes) { piece in
            piece.withMemoryRebound(to: UInt8.self) { observer?.observe($0.span) }
        }
        // What can't be read says nothing, about its end neither.
        if outcome == .corrupt || outcome == .tooMuch { observer = nil }
    }

    /// What of a piece that was observed goes down; nil: all of it, as it is.
    mutating func filtered(_ bytes: UnsafeRawBufferPointer) -> [UInt8]? {
        guard filter != nil else { return nil }
        if observer?.mayBeStream == true {
            return bytes.withMemoryRebound(to: UInt8.self) { filter?.pass($0.span) ?? [] }
        }
        // It turned out to be no stream: nothing is taken out of it.
        return rest() + bytes
    }

    /// What the filter still holds; it goes down before the answer's end.
    mutating func rest() -> [UInt8] {
        if filter == nil { return [] }
        let rest = filter?.end() ?? []
        filter = nil
        return rest
    }

    /// A piece that went down. `limit`: of an answer that is stored.
    mutating func store(_ bytes: UnsafeRawBufferPointer, limit: Int) {
        guard let count = storing?.body.count else { return }
        if count + bytes.count > limit {
            storing = nil
        } else {
            storing?.body.append(contentsOf: bytes)
        }
    }

    var isStoring: Bool { mutating get { storing != nil } }

    /// The transport has ended the body as a whole one.
    mutating func end() { observer?.end() }

    // MARK: What it has said
    // As `mutating` these are read in place; else an observer inside a class is copied.

    /// It reads the answer.
    var understands: Bool { mutating get { observer != nil } }
    var mayBeStream: Bool { mutating get { observer?.mayBeStream == true } }
    var hasContent: Bool { mutating get { observer?.hasContent != false } }
    var isOver: Bool { mutating get { observer?.isOver == true } }
    var ending: AnswerObserver.Ending? { mutating get { observer?.ending } }
    /// The type or code of its error event.
    var failureCode: String? {
        mutating get { if case .failed(let code) = observer?.ending { code } else { nil } }
    }
    /// Of a stream that goes on, output tokens so far: as many at least. nil: there is nothing to cut off.
    var leastOutput: Int64? {
        mutating get { observer?.isStream == true && observer?.ending == .open ? observer?.leastOutput : nil }
    }
    var usage: Usage? { mutating get { observer?.usage } }
    var model: String? { mutating get { observer?.model } }
    var finishReason: String? { mutating get { observer?.finishReason } }
    var serviceTier: String? { mutating get { observer?.serviceTier } }

    private var hasWholeCoding: Bool { decoder.map { $0.outcome == .ended } ?? true }

    /// The stream has said its last word, and its coding, if any, is over: no failure of the transport takes that back.
    mutating func hasLastWord(_ status: Int?) -> Bool {
        guard status == 200, observer?.isStream == true, observer?.ending != .open else { return false }
        return hasWholeCoding
    }

    /// The transport has ended the body; nil: and so did the answer.
    mutating func faultOfEnd(
        _ status: Int?, _ framing: ResponseHead.Framing?, bytesOut: Int64
    ) -> UpstreamFailure? {
        if case .fixed(let length) = framing, Int(bytesOut) < length {
            return UpstreamFailure(.truncated, "the answer is shorter than its Content-Length")
        }
        guard observer != nil, let status else { return nil }
        observer?.end()
        if status == 200, observer?.needsMarker == true, observer?.ending == .open {
            return UpstreamFailure(.truncated, "the stream ended without its completion marker")
        }
        // A part that was asked for is cut on purpose, and an error is one, however much of it there is.
        guard 200...299 ~= status, status != 206, framing != .fixed(0) else { return nil }
        if observer?.isCut == true { return UpstreamFailure(.truncated, "the answer ended within a value") }
        if let decoder, decoder.outcome == .more, bytesOut > 0, observer?.isStream == false {
            return UpstreamFailure(.truncated, "the answer ended within its content coding")
        }
        return nil
    }

    /// The event that tells a stream's reader of a problem; nil where none may be written.
    mutating func closingEvent(_ problem: Problem) -> [UInt8]? {
        decoder == nil ? observer?.closingEvent(problem) : nil
    }

    /// The answer as it is stored; nil unless it is whole and holds none of `keys`.
    mutating func storedAnswer(_ id: RequestID, at wall: UInt64, masking keys: SecretSet) -> CachedAnswer? {
        guard let storing, observer?.ending == .complete, hasWholeCoding else { return nil }
        var answer = CachedAnswer(
            status: 200, fieldLines: storing.fieldLines, body: storing.body, isStream: observer?.isStream == true,
            storedAt: wall, requestID: id)
        if answer.holds(keys) { return nil }
        let record = AnswerRecord(
            usage: usage, model: model, finishReason: finishReason, serviceTier: serviceTier, endUser: nil,
            masking: keys)
        answer.usage = record.usage
        answer.model = record.model
        answer.finishReason = record.finishReason
        answer.serviceTier = record.serviceTier
        return answer
    }
}

/// An answer on its way to the caller that may be stored once it is whole.
struct StoredPart {
    let fieldLines: [UInt8]
    var body: [UInt8] = []
}
