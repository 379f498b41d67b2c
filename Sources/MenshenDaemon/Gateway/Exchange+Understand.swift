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
    /// JSON behind a byte order mark.
    case marked
    case utf16
    case other

    /// `body`: its beginning at least.
    init(_ head: RequestHead, _ body: [UInt8]) {
        if let coding = head.first(.contentEncoding), !head.bytes[coding].allSatisfy({ $0 == 0x20 }) {
            let known = ContentCoding(fieldValue: head.bytes[coding])
            if known != .identity {
                self = .coded(known)
                return
            }
        }
        let type = head.first(.contentType).map { head.text($0).lowercased() }
        if type?.hasPrefix("multipart/") == true {
            self = .form
        } else if body.starts(with: [0xEF, 0xBB, 0xBF]) {
            self = .marked
        } else if body.starts(with: [0xFE, 0xFF]) || body.starts(with: [0xFF, 0xFE]) || body.prefix(2).contains(0) {
            self = .utf16
        } else if body.first(where: { $0 != 0x20 && !(9...13).contains($0) }) == UInt8(ascii: "{") {
            self = .json
        } else {
            self = type?.contains("json") ?? true ? .json : .other
        }
    }
}

/// *understand*: what the body says, and whether that could be read.
extension Exchange {
    /// Decoded bytes that are read of a compressed body: more than any prompt, and two milliseconds' work.
    private static let decodedLimit = 4 << 20

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
        case .coded, .marked, .utf16, .other: break
        }
    }

    /// Reads the body's facts. A body that is streamed goes on being read as it passes.
    func understandBody() throws(Problem) {
        guard !body.isEmpty else { return }
        switch BodyKind(head, body) {
        case .json: try understandJSON()
        case .form: try understandForm()
        case .coded(let coding): try understandCoded(coding)
        case .marked:
            worker.scan.reset()
            body.withUnsafeBufferPointer { worker.scan.feed($0.span.extracting(3...)) }
            try takeCopy()
        case .utf16: modelFault = "it is text in UTF-16"
        case .other: break
        }
    }

    private func understandJSON() throws(Problem) {
        guard isBodyComplete else {
            readAhead()
            guard let scan else { return }
            if scan.isExcessive { throw Self.excessiveBody }
            facts.add(scan.facts)
            modelPlaces = scan.modelPlaces
            modelFault = scan.modelFault(isWhole: false)?.rawValue
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
        modelFault = worker.scan.modelFault(isWhole: true)?.rawValue
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
            modelFault = "it is a form without a boundary"
            return
        }
        if form.isExcessive { throw Self.excessiveForm }
        facts.add(form.facts)
        modelPlaces = form.modelPlaces
        if isBodyComplete {
            self.form = nil
        } else if form.facts.model == nil {
            modelFault = RequestScan.ModelFault.notInPrefix.rawValue
        }
    }

    /// Reads what it stands for beside it; the body itself goes on as it came.
    private func understandCoded(_ coding: ContentCoding?) throws(Problem) {
        guard let coding, let decoder = Decoder(coding, limit: Self.decodedLimit) else {
            modelFault = "its Content-Encoding is none that menshen reads"
            return
        }
        worker.scan.reset()
        let outcome = body.withUnsafeBytes { bytes in
            decoder.decode(bytes) { piece in
                piece.withMemoryRebound(to: UInt8.self) { worker.scan.feed($0.span) }
            }
        }
        try takeCopy()
        switch outcome {
        case .corrupt: modelFault = "it is not what its Content-Encoding says"
        case .tooMuch: modelFault = "it has more than \(Self.decodedLimit >> 20) MiB when it is decoded"
        case .more where isBodyComplete: modelFault = "it ends before its Content-Encoding does"
        case .more where facts.model == nil: modelFault = RequestScan.ModelFault.notInPrefix.rawValue
        case .more, .ended: break
        }
    }

    /// From a copy of the body: nothing in the body itself may be changed.
    private func takeCopy() throws(Problem) {
        if worker.scan.isExcessive { throw Self.excessiveBody }
        facts.add(worker.scan.facts)
        modelFault = worker.scan.modelFault(isWhole: isBodyComplete)?.rawValue
        asksForUsage = worker.scan.asksForUsage
    }

    // MARK: What could not be read

    /// A request whose model cannot be read does not go where a rule about models might forbid it.
    func refuseGuess(_ resolved: ResolvedTarget) throws(Problem) {
        guard let modelFault, resolved.facts.model == nil, operation.namesModel else { return }
        let routes = runtime.snapshot.routes
        guard let rule = fitting.first(where: { routes.providers[$0].hasModelRule }) else { return }
        throw Problem(
            isCoded ? .forbiddenContentType : .malformedRequest, status: isCoded ? 415 : 400,
            "The model cannot be read from the body: \(modelFault). Which provider gets the request depends on it (see models, model and aliases of '\(routes.providers[rule].name)')."
        )
    }

    /// Why the model's name cannot be changed, where the body could be read, if that is the reason.
    func changeProblem(_ provider: String) -> Problem? {
        switch BodyKind(head, body) {
        case .coded:
            Problem(
                .forbiddenContentType, status: 415,
                "Provider '\(provider)' is to be asked for another model, and menshen changes nothing within a compressed body. Send it without Content-Encoding."
            )
        case .marked:
            Problem(
                .malformedRequest, status: 400,
                "Provider '\(provider)' is to be asked for another model, but the body begins with a byte order mark. Send it without one."
            )
        default: nil
        }
    }

    private var isCoded: Bool { if case .coded = BodyKind(head, body) { true } else { false } }

    private static let excessiveBody = Problem(
        .malformedRequest, status: 400,
        "The body repeats 'model', 'stream' and the like more than \(RequestScan.maxFindings) times. Send each once.")

    private static let excessiveForm = Problem(
        .requestTooLarge, status: 413,
        "The form has more than \(FormScan.maxParts) parts, or more than \(FormScan.maxHeadBytes >> 10) KiB in their heads."
    )
}
