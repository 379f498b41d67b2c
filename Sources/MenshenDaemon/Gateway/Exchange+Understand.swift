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
        let type = head.first(.contentType).map { head.text($0).lowercased() }
        if type?.hasPrefix("multipart/") == true {
            self = .form
        } else if body.starts(with: [0xFE, 0xFF]) || body.starts(with: [0xFF, 0xFE]) || body.prefix(2).contains(0) {
            self = .utf16
        } else if body.starts(with: [0xEF, 0xBB, 0xBF])
            || body.first(where: { $0 != 0x20 && !(9...13).contains($0) }) == UInt8(ascii: "{")
        {
            self = .json
        } else {
            self = type?.contains("json") ?? true ? .json : .other
        }
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

/// *understand*: what the body says, and whether that could be read.
extension Exchange {
    /// A body of several reads is read for its facts as it comes: 2 MiB of small members at once would take the loop's
    /// time for milliseconds.
    func readAhead() {
        guard record == .none, ending == nil, scan == nil, form == nil, body.count >= Self.factsPrefix else { return }
        switch BodyKind(head, body) {
        case .json:
            var scan = RequestScan()
            body.withUnsafeBufferPointer { scan.feed($0.span) }
            self.scan = scan
        case .form: beginForm()
        case .coded, .utf16, .other: break
        }
    }

    /// A further piece of a body whose beginning was read. What it says there may undo what was decided.
    func readOn(_ bytes: UnsafeRawBufferPointer) throws(Problem) {
        if scan == nil, form == nil { return }
        bytes.withMemoryRebound(to: UInt8.self) {
            scan?.feed($0.span)
            form?.feed($0.span)
        }
        guard let ruling else { return }
        if let fault = scan?.modelFault(isWhole: false) ?? form?.modelFault(isWhole: false),
            !fault.isUsualWithoutModel
        {
            throw unreadableModel(fault, ruling)
        }
    }

    /// Reads the body's facts. A body that is streamed goes on being read as it passes. False: only a part of it was read
    /// in this turn, and `attempt` is called again.
    func understandBody() throws(Problem) -> Bool {
        guard !body.isEmpty else { return true }
        switch BodyKind(head, body) {
        case .json: try understandJSON()
        case .form: try understandForm()
        case .coded(let coding): return try understandCoded(coding)
        case .utf16: modelFault = .inUTF16
        case .other: modelFault = .unknownKind
        }
        return true
    }

    private func understandJSON() throws(Problem) {
        guard isBodyComplete else {
            readAhead()
            guard let scan else { return }
            if scan.isExcessive { throw Self.excessiveBody }
            facts.add(scan.facts)
            modelPlaces = scan.modelPlaces
            modelFault = scan.modelFault(isWhole: false)
            self.scan?.decide()
            return
        }
        if let scan {
            worker.scan = scan
            self.scan = nil
        } else {
            worker.scan.reset()
            body.withUnsafeBufferPointer { worker.scan.feed($0.span) }
        }
        if worker.scan.isExcessive { throw Self.excessiveBody }
        facts.add(worker.scan.facts)
        modelFault = worker.scan.modelFault(isWhole: true)
        if runtime.snapshot.routes.replacesModels { modelPlaces = worker.scan.modelPlaces }
        asksForUsage = worker.scan.asksForUsage
        if operation == .chat { usageSplice = worker.scan.usageSplice(in: body) }
    }

    private func beginForm() {
        guard let type = head.first(.contentType), var form = FormScan(contentType: head.text(type)) else { return }
        body.withUnsafeBufferPointer { form.feed($0.span) }
        self.form = form
    }

    private func understandForm() throws(Problem) {
        if form == nil { beginForm() }
        guard let form else {
            modelFault = .noBoundary
            return
        }
        if form.isExcessive { throw Self.excessiveForm }
        facts.add(form.facts)
        modelPlaces = form.modelPlaces
        modelFault = form.modelFault(isWhole: isBodyComplete)
        self.form?.decide()
        if isBodyComplete { self.form = nil }
    }

    /// Reads what it stands for beside it; the body itself goes on as it came, and nothing in it may be changed.
    private func understandCoded(_ coding: ContentCoding?) throws(Problem) -> Bool {
        if coded == nil {
            guard let coding, let decoder = Decoder(coding, limit: CodedBody.limit) else {
                modelFault = .unknownCoding
                return true
            }
            coded = CodedBody(decoder: decoder)
        }
        guard var coded else { return true }
        // Moved, and not copied at its first change.
        self.coded = nil
        let isRead = body.withUnsafeBytes { bytes in
            coded.decoder.decode(bytes, from: &coded.index, pause: CodedBody.turn) { piece in
                piece.withMemoryRebound(to: UInt8.self) { coded.scan.feed($0.span) }
            }
        }
        if coded.scan.isExcessive { throw Self.excessiveBody }
        guard isRead else {
            self.coded = coded
            wait(.reading, until: worker.now)
            return false
        }
        facts.add(coded.scan.facts)
        asksForUsage = coded.scan.asksForUsage
        modelFault = isBodyComplete ? Self.fault(of: coded) : .longCoding
        return true
    }

    private static func fault(of coded: CodedBody) -> ModelFault? {
        switch coded.decoder.outcome {
        case .corrupt: .otherCoding
        case .tooMuch: .longCoding
        case .more: .cutCoding
        case .ended: coded.scan.modelFault(isWhole: true)
        }
    }

    // MARK: What could not be read

    /// A request whose model cannot be read does not go where a rule about models might forbid it.
    func refuseGuess(_ resolved: ResolvedTarget) throws(Problem) {
        guard resolved.facts.model == nil, operation.namesModel else { return }
        let isNamed = resolved.target.providerName != nil
        let providers = runtime.snapshot.routes.providers
        guard let ruling = fitting.first(where: { providers[$0].hasModelRule(isNamed: isNamed) }) else { return }
        if let modelFault, operation != .other || !modelFault.isUsualWithoutModel {
            throw unreadableModel(modelFault, ruling)
        }
        if !isBodyComplete { self.ruling = ruling }
    }

    private func unreadableModel(_ fault: ModelFault, _ ruling: Int) -> Problem {
        Problem(
            isCoded ? .forbiddenContentType : .malformedRequest, status: isCoded ? 415 : 400,
            "The model cannot be read: \(fault.rawValue). Which provider gets the request depends on it (see models, model and aliases of '\(runtime.snapshot.routes.providers[ruling].name)')."
        )
    }

    /// Why the model's name cannot be changed, where it could be read, if that is the reason.
    func changeProblem(_ provider: String) -> Problem? {
        if resolved?.facts.model != nil {
            return Problem(
                .malformedRequest, status: 400,
                "Provider '\(provider)' is to be asked for another model, but the path that names it is percent-encoded where it need not be."
            )
        }
        guard isCoded else { return nil }
        return Problem(
            .forbiddenContentType, status: 415,
            "Provider '\(provider)' is to be asked for another model, and menshen changes nothing within a compressed body. Send it without Content-Encoding."
        )
    }

    private var isCoded: Bool { BodyKind.coding(head) != nil }

    private static let excessiveBody = Problem(
        .malformedRequest, status: 400,
        "The body repeats 'model', 'stream' and the like more than \(RequestScan.maxFindings) times. Send each once.")

    private static let excessiveForm = Problem(
        .requestTooLarge, status: 413,
        "The form has more than \(FormScan.maxParts) parts, or more than \(FormScan.maxHeadBytes >> 10) KiB in their heads."
    )
}
