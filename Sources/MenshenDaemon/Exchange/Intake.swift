// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Compression
internal import HTTP
internal import MenshenCore

/// What has come of one request's body, what it says, and whether that could be read.
struct Intake {
    /// Bodies up to this size are read whole before the provider is dialled: their facts are known then, and they go out
    /// in one piece. Larger ones are streamed through. Four of the largest usual prompts (400 KB of an agent's context).
    static let wholeLimit = 2 << 20
    /// Part of a streamed body that is read for facts before the provider is dialled.
    static let factsPrefix = 64 << 10

    private(set) var body: [UInt8] = []
    private(set) var isComplete = false
    /// Bytes of the body that came.
    private(set) var bytesIn: Int64 = 0
    /// Bytes of the body that count in `Worker.bodies`.
    private var charged = 0
    private var capture: BodyCapture?
    /// Up to this size the body is kept until it is whole.
    private var limit = Self.wholeLimit

    private(set) var facts = RequestFacts()
    /// Why the model could not be read, as far as there is one.
    private(set) var modelFault: ModelFault?
    /// The caller asks for the usage chunk itself.
    private(set) var asksForUsage = false
    /// Where the body names the model, if that may have to change.
    @Boxed private(set) var modelPlaces: ModelPlaces?
    @Boxed private(set) var usageSplice: Splice?
    /// Set for a request that asks for a WebSocket.
    private(set) var upgrade: WebSocketUpgrade?

    /// These read a body of several pieces, and a streamed one as it passes.
    @Boxed private var scan: RequestScan?
    @Boxed private var form: FormScan?
    @Boxed private var coded: CodedBody?
    /// The rule that depends on the model which the rest of a streamed body may still name.
    @Boxed private var ruling: ModelRuling?

    /// The head is there. `facts`: what it says.
    mutating func begin(
        _ head: RequestHead, _ target: RequestTarget, _ facts: RequestFacts, _ logging: Configuration.Logging
    ) {
        self.facts = facts
        upgrade = WebSocketUpgrade(head)
        // Its query names the model.
        if upgrade != nil, facts.model == nil { (self.facts.model, modelFault) = target.queryModel }
        if case .fixed(let length) = head.framing, length <= Self.wholeLimit { body.reserveCapacity(length) }
        if logging.logRequestBody { capture = BodyCapture(limit: logging.maxBodyBytes) }
    }

    /// The providers that fit say how much of a body they want whole.
    mutating func limitWhole(_ fitting: [Int], _ snapshot: Snapshot) {
        let providers = snapshot.routes.providers
        if fitting.contains(where: { providers[$0].signing != nil }) {
            limit = UpstreamRequest.signedBodyLimit
        } else if fitting.count > 1 {
            limit = max(Self.wholeLimit, snapshot.configuration.failover.maxBodyBytes)
        } else {
            limit = Self.wholeLimit
        }
    }

    /// Enough has come of a body that is too large to be kept whole.
    func isStreamed(_ head: RequestHead) -> Bool {
        if body.count < Self.factsPrefix { return false }
        return switch head.framing {
        case .none: false
        case .fixed(let length): length > limit
        case .chunked: body.count > limit
        }
    }

    /// No more is kept than is read whole, and what one turn may bring.
    var hasRoom: Bool { body.count < limit + AnswerBudget.most }

    // MARK: The body comes

    mutating func count(_ bytes: Int) { bytesIn += Int64(bytes) }

    /// A piece. What it says may undo what was decided.
    mutating func pass(_ bytes: UnsafeRawBufferPointer) throws(Problem) {
        capture?.append(bytes)
        if scan == nil, form == nil { return }
        bytes.withMemoryRebound(to: UInt8.self) {
            scan?.feed($0.span)
            form?.feed($0.span)
        }
        guard let ruling else { return }
        if let fault = scan?.modelFault(isWhole: false) ?? form?.modelFault(isWhole: false),
            !fault.isUsualWithoutModel
        {
            throw ruling.problem(fault, isCoded: false)
        }
        if ruling.isOfCaller, scan?.facts.namesFurtherModels == true { throw ruling.problem(.several, isCoded: false) }
    }

    /// A piece that waits here, for it is to be read, or nobody takes it yet.
    mutating func keep(
        _ bytes: UnsafeRawBufferPointer, in budget: inout BodyBudget, of payer: @autoclosure () -> String
    ) throws(Problem) {
        if body.count + bytes.count > BodyBudget.small {
            let missing = body.count + bytes.count - charged
            guard budget.take(missing, for: payer()) else {
                throw Problem(
                    .overloaded, status: 503,
                    "The request bodies of this caller that are not whole yet fill its share of server.max_buffered_bodies.",
                    isRetryable: true)
            }
            charged += missing
        }
        body.append(contentsOf: bytes)
    }

    /// Room for a stored answer until its caller has read it.
    mutating func keep(
        _ answer: CachedAnswer, in budget: inout BodyBudget, of payer: @autoclosure () -> String
    ) -> Bool {
        let count = answer.body.count
        if count <= BodyBudget.small { return true }
        guard budget.take(count, for: payer()) else { return false }
        charged += count
        return true
    }

    mutating func complete() { isComplete = true }

    /// The body to send. `isKept`: another attempt may need it.
    mutating func takeBody(isKept: Bool) -> [UInt8] {
        if isKept { return body }
        let taken = body
        body = []
        return taken
    }

    mutating func dropBody() { body = [] }

    /// The memory that the body has had is free.
    mutating func giveBack(to budget: inout BodyBudget, of payer: @autoclosure () -> String) {
        if charged == 0 { return }
        budget.give(charged, of: payer())
        charged = 0
    }

    func captured(_ keys: SecretSet) -> [UInt8]? { capture?.masked(keys) }

    // MARK: Understand

    /// A body of several reads is read for its facts as it comes: 2 MiB of small members at once would take the loop's
    /// time for milliseconds.
    mutating func readAhead(_ head: RequestHead) {
        guard scan == nil, form == nil, body.count >= Self.factsPrefix else { return }
        switch BodyKind(head, body) {
        case .json: beginScan()
        case .form: beginForm(head)
        case .coded, .utf16, .other: break
        }
    }

    private mutating func beginScan() {
        var scan = RequestScan()
        body.withUnsafeBufferPointer { scan.feed($0.span) }
        self.scan = scan
    }

    /// Reads the body's facts. A body that is streamed goes on being read as it passes. False: only a part of it was read,
    /// and the rest is to be read in the next turn. `whole`: the worker's, for bodies that are there whole.
    mutating func understand(
        _ head: RequestHead, _ operation: Operation, replacesModels: Bool, whole: inout RequestScan
    ) throws(Problem) -> Bool {
        guard !body.isEmpty else { return true }
        switch BodyKind(head, body) {
        case .json:
            if isComplete {
                try understandWhole(operation, replacesModels, &whole)
            } else {
                try understandBeginning()
            }
        case .form: try understandForm(head)
        case .coded(let coding): return try understandCoded(coding)
        case .utf16: modelFault = .inUTF16
        case .other: modelFault = .unknownKind
        }
        return true
    }

    private mutating func understandBeginning() throws(Problem) {
        if scan == nil, body.count >= Self.factsPrefix { beginScan() }
        guard let scan else { return }
        if scan.isExcessive { throw Self.excessiveBody }
        facts.add(scan.facts)
        modelPlaces = scan.modelPlaces
        modelFault = scan.modelFault(isWhole: false)
        self.scan?.decide()
    }

    private mutating func understandWhole(
        _ operation: Operation, _ replacesModels: Bool, _ whole: inout RequestScan
    ) throws(Problem) {
        if let scan {
            whole = scan
            self.scan = nil
        } else {
            whole.reset()
            body.withUnsafeBufferPointer { whole.feed($0.span) }
        }
        if whole.isExcessive { throw Self.excessiveBody }
        facts.add(whole.facts)
        modelFault = whole.modelFault(isWhole: true)
        if replacesModels { modelPlaces = whole.modelPlaces }
        asksForUsage = whole.asksForUsage
        if operation == .chat { usageSplice = whole.usageSplice(in: body) }
    }

    private mutating func beginForm(_ head: RequestHead) {
        guard let type = head.first(.contentType), var form = FormScan(contentType: head.text(type)) else { return }
        body.withUnsafeBufferPointer { form.feed($0.span) }
        self.form = form
    }

    private mutating func understandForm(_ head: RequestHead) throws(Problem) {
        if form == nil { beginForm(head) }
        guard let form else {
            modelFault = .noBoundary
            return
        }
        if form.isExcessive { throw Self.excessiveForm }
        facts.add(form.facts)
        modelPlaces = form.modelPlaces
        modelFault = form.modelFault(isWhole: isComplete)
        self.form?.decide()
        if isComplete { self.form = nil }
    }

    /// Reads what it stands for beside it; the body itself goes on as it came, and nothing in it may be changed.
    private mutating func understandCoded(_ coding: ContentCoding?) throws(Problem) -> Bool {
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
            return false
        }
        facts.add(coded.scan.facts)
        asksForUsage = coded.scan.asksForUsage
        modelFault = isComplete ? Self.fault(of: coded) : .longCoding
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

    /// No secret stays in what is recorded.
    mutating func mask(_ keys: SecretSet) { facts.mask(keys) }

    /// What a streamed body said while it passed.
    mutating func takeStreamed(masking keys: SecretSet) {
        guard let streamed = scan?.facts ?? form?.facts else { return }
        facts.add(streamed)
        facts.mask(keys)
    }

    // MARK: What could not be read

    /// A request whose model cannot be read does not go where a rule about models might forbid it. `reader`: whoever says
    /// which models the caller may ask for.
    mutating func refuseGuess(
        _ head: RequestHead, _ resolved: ResolvedTarget, _ fitting: [Int], _ snapshot: Snapshot,
        _ reader: PolicyDenial.Holder?
    ) throws(Problem) {
        if modelFault == nil, isComplete { return }
        guard resolved.facts.model == nil else { return }
        if let reader {
            let ruling = ModelRuling(reader)
            if let modelFault { throw ruling.problem(modelFault, isCoded: BodyKind.coding(head) != nil) }
            self.ruling = ruling
            return
        }
        guard resolved.operation.namesModel else { return }
        let isNamed = resolved.target.providerName != nil
        let providers = snapshot.routes.providers
        let index = fitting.first { providers[$0].hasModelRule(isNamed: isNamed) }
        guard index != nil || snapshot.limits.hasModels else { return }
        if modelFault == .notInQuery, resolved.operation.hasPlainForm {
            throw index.map { .noModelForWebSocket(providers[$0].name) } ?? .noModelForLimit
        }
        let ruling = index.map { ModelRuling(providers[$0]) } ?? .limits
        if let modelFault, resolved.operation != .other || !modelFault.isUsualWithoutModel {
            throw ruling.problem(modelFault, isCoded: BodyKind.coding(head) != nil)
        }
        if !isComplete { self.ruling = ruling }
    }

    /// What the request has said of its model, once it is understood.
    var modelWord: Confines.ModelWord { .told(facts.model, further: facts.namesFurtherModels) }

    private static let excessiveBody = Problem(
        .malformedRequest, status: 400,
        "The body repeats 'model', 'stream' and the like more than \(RequestScan.maxFindings) times. Send each once.")

    private static let excessiveForm = Problem(
        .requestTooLarge, status: 413,
        "The form has more than \(FormScan.maxParts) parts, or more than \(FormScan.maxHeadBytes >> 10) KiB in their heads."
    )
}
