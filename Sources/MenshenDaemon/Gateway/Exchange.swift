// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Compression
internal import HTTP
internal import Linux
internal import MenshenCore
internal import MenshenStore
internal import MenshenUpstream
internal import Reactor

/// One request with its answer. Its life is the phases of LifeOfARequest.md, one file each: *authorise* and
/// *understand* here, *attempt* in Exchange+Attempt, *relay* in Exchange+Relay, *settle* in Exchange+Settle, which every
/// request ends in. Belongs to its connection and the worker's thread.
final class Exchange {
    enum Record {
        /// Nothing is with the store yet.
        case none
        /// The store has the intent, or the whole row of a refusal; the answer waits.
        case waiting
        case safe
    }

    /// What happens to the connection once the answer's record is safe and the answer is written.
    enum Ending {
        case keepAlive(Bool)
        case breakOff(needsReset: Bool)
    }

    unowned let connection: Connection
    unowned let worker: Worker
    let runtime: Runtime
    let head: RequestHead
    let id: RequestID
    /// Monotonic microseconds.
    let startedAt: UInt64
    /// When the caller last took of its answer, or sent of its body, as far as somebody may wait for that. The same clock.
    var callerMovedAt: UInt64 = 0

    // authorise
    /// nil for a target that is not safe to forward, and for a head that could not be read.
    let resolved: ResolvedTarget?
    var isAuthenticated = false
    var tokenName: String?
    /// Not only what it has asked for itself.
    var mayBeShownAll = false
    /// Named in Access-Control-Allow-Origin.
    var allowedOrigin: String?

    // understand
    var facts = RequestFacts()
    /// Reads a streamed body as it passes.
    @Boxed var scan: RequestScan?
    /// The same for a form.
    @Boxed var form: FormScan?
    var body: [UInt8] = []
    var isBodyComplete = false
    var bytesIn: Int64 = 0
    /// Bytes of the body that count in `Worker.bodies`.
    var charged = 0
    var requestCapture: BodyCapture?

    /// Where the body names the model, if that may have to change.
    @Boxed var modelPlaces: ModelPlaces?
    @Boxed var usageSplice: Splice?
    var addedUsage = AddedUsage.notAdded
    /// Why the model could not be read, as far as there is one.
    var modelFault: ModelFault?
    /// A provider whose rule depends on the model that the rest of a streamed body may still name.
    var ruling: Int?
    @Boxed var coded: CodedBody?

    /// The caller asks for the usage chunk itself.
    var asksForUsage = false

    // recall
    var cacheKey: CacheKey?
    var cacheRecord: CacheRecord?
    /// An answer that may be stored, as far as it has come.
    @Boxed var storing: StoredPart?
    @Boxed var replay: Replay?

    // plan
    /// Of the providers that fit.
    var fitting: [Int] = []
    var plan: RoutePlan?
    var tried: RoutePlan.Try?
    /// Set while the provider's health has not heard how the try went.
    var isTryOpen = false
    /// A place at the provider is ours.
    var hasSlot = false
    var routeWait = RouteWait.nothing
    lazy var routeTimer = Timer(self)
    var hasRouteTimer = false
    /// The last provider's answer that was not passed on, and the one that is being read.
    @Boxed var kept: KeptAnswer?
    @Boxed var diverted: KeptAnswer?
    var held: HeldAnswer?

    // attempt
    /// Of the present try, or of the answer that is passed on.
    var providerIndex: Int?
    var usedKey: Secret?
    /// What the provider is asked for, if that is not the caller's model.
    var askedModel: String?
    /// A key command runs; `keyArrived` or `keySourceChanged` follows.
    var isAwaitingKey = false
    var transfer: Transfer?
    /// Set for a request that asks for a WebSocket; it has a relay in place of a transfer.
    var upgrade: WebSocketUpgrade?
    var webSocket: WebSocketRelay?
    var attemptStartedAt: UInt64 = 0
    var attempts: [AttemptRecord] = []

    // relay
    /// Set when the provider's head went down.
    var framing: ResponseHead.Framing?
    var keepAlive: Bool
    var bytesOut: Int64 = 0
    var firstByteAt: UInt64?
    /// Reads what the answer says of itself; nil if it says nothing that is understood.
    var observer: AnswerObserver?
    /// Decodes a side copy of an encoded answer for the observer; the relay passes it as it is.
    var decoder: Decoder?
    /// Takes the usage chunk out that menshen alone has asked for.
    @Boxed var filter: UsageChunkFilter?
    var status: Int?
    var responseCapture: BodyCapture?

    // settle
    var record = Record.none
    /// The provider is asked once the receipt has come.
    var awaitsReceipt = false
    var intent: AuditIntent?
    /// Of the problem menshen answered with, or what the provider called its own.
    var problemCode: String?
    var isSettled = false
    var ending: Ending?

    init(_ connection: Connection, _ head: RequestHead) {
        self.connection = connection
        self.head = head
        worker = connection.worker
        runtime = worker.runtime
        id = worker.nextRequestID()
        // Not the turn's time: a quick answer comes within the same turn.
        startedAt = Clock.monotonic()
        resolved = runtime.resolve(head)
        keepAlive = head.keepAlive
    }

    /// The head is there. `hasBody`: its body is still to come, by `receiveBody` and `bodyEnded`.
    func begin(hasBody: Bool) {
        isBodyComplete = !hasBody
        do throws(Problem) {
            guard let resolved else {
                // It is about the server, not about one of its resources (RFC 9110 §9.3.7), and menshen is the server.
                if head.method == .options, head.target.count == 1 {
                    return answer(LocalAnswer(status: 204, fields: [("Allow", LocalAnswer.methods)]))
                }
                throw Problem(
                    .forbiddenPath, status: 400,
                    "The path holds a '.' or '..' segment or a control character, plain or encoded.")
            }
            if connection.listener.isTCP, runtime.snapshot.tcpFault != nil, resolved.surface != .health {
                throw Self.tcpRefused
            }
            if try answerPreflight() { return }
            try authorise(resolved)
            if isAuthenticated, connection.isNewcomer { worker.becomesKnown(connection) }
            if let surface = resolved.surface { return try serve(surface) }
            if head.method == .head, hasBody {
                throw Problem(.malformedRequest, status: 400, "A HEAD request with a body is not forwarded.")
            }
            if let fault = runtime.snapshot.fault {
                throw brokenProblem(fault)
            }
            understandHead(resolved)
            // Which of them gets it may depend on the model; that there is none at all need not wait for that.
            fitting = try runtime.snapshot.routes.fitting(resolved.target, resolved.dialect, model: facts.model)
            if isBodyComplete { return try attempt() }
            if head.expectsContinue {
                connection.output.append(ascii: "HTTP/1.1 100 Continue\r\n\r\n")
                connection.flush()
            }
        } catch {
            fail(error)
        }
    }

    /// Anybody may connect there, so the reason is for the journal and the Unix socket.
    private static let tcpRefused = Problem(
        .configurationBroken, status: 503,
        "menshen serves nothing over TCP with its present configuration. 'menshen status' and its journal say why.")

    /// What every head of an answer gets.
    var additions: ResponseHead.Additions {
        ResponseHead.Additions(
            requestID: id.ascii, allowedOrigin: allowedOrigin, xCache: cacheRecord?.outcome.header)
    }

    /// Without a target, and for paths of no dialect, errors have OpenAI's shape.
    var dialect: Dialect { resolved?.dialect ?? .openai }
    var operation: Operation { resolved?.operation ?? .other }

    // MARK: Authorise

    /// Answers a browser that asks whether a page may call; true if it was one.
    private func answerPreflight() throws(Problem) -> Bool {
        guard let gate = connection.listener.webGate(runtime.snapshot) else { return false }
        if let problem = connection.familiarity.checkHost(head, gate, runtime.snapshot) { throw problem }
        switch gate.judgeOrigin(head) {
        case .absent, .own: return false
        case .foreign: throw WebGate.foreignOrigin
        case .allowed(let origin):
            allowedOrigin = origin
            guard head.method == .options, head.first(.accessControlRequestMethod) != nil else { return false }
            answer(LocalAnswer(status: 204, fields: LocalAnswer.preflightFields(head)))
            return true
        }
    }

    /// Who is calling, and may they? On a Unix socket the peer's uid was judged when the connection was accepted.
    private func authorise(_ resolved: ResolvedTarget) throws(Problem) {
        let verdict = connection.familiarity.judgeToken(
            head, resolved.target.queryKey, runtime.snapshot)
        if case .valid(let name) = verdict { tokenName = name }
        guard connection.listener.isTCP else {
            isAuthenticated = true
            mayBeShownAll = true
            return
        }
        let authentication = runtime.snapshot.configuration.authentication
        if let surface = resolved.surface {
            try authorise(surface, authentication, verdict)
        } else if authentication.enable, runtime.snapshot.fault == nil {
            switch verdict {
            case .valid: break
            case .missing:
                throw Problem(
                    .unauthenticated, status: 401,
                    "A proxy token is needed: send it as 'Authorization: Bearer TOKEN', or where your SDK puts its API key."
                )
            case .invalid:
                throw Problem(
                    .unauthenticated, status: 401,
                    "The proxy token is not known. Send a token of [auth] in menshen's configuration, not the provider's key."
                )
            }
            isAuthenticated = true
            if let problem = WebGate.checkContentType(ofKnown: head) { throw problem }
        } else {
            isAuthenticated = !authentication.enable
            if let problem = connection.listener.webGate(runtime.snapshot)?.checkPage(head) { throw problem }
        }
    }

    private func authorise(
        _ surface: Surface, _ authentication: Configuration.Authentication, _ verdict: TokenGate.Verdict
    ) throws(Problem) {
        if surface == .health { return }
        if !authentication.enable {
            isAuthenticated = true
            return
        }
        if case .valid = verdict {
            isAuthenticated = true
            return
        }
        guard let password = authentication.password else {
            throw Problem(
                .unauthenticated, status: 401,
                "The status page has no password. Set [auth] user and password, or use the Unix socket.")
        }
        guard BasicCredentials.match(head, user: authentication.user, password: password) else {
            throw Problem(.unauthenticated, status: 401, "User and password of [auth] are needed.")
        }
        mayBeShownAll = true
        isAuthenticated = true
    }

    // MARK: Understand

    /// Bodies up to this size are read whole before the provider is dialled: their facts are known then, and they go out
    /// in one piece. Larger ones are streamed through. Four of the largest usual prompts (400 KB of an agent's context).
    static let wholeBodyLimit = 2 << 20
    /// Part of a streamed body that is read for facts before the provider is dialled.
    static let factsPrefix = 64 << 10

    private var wholeLimit: Int {
        if fitting.contains(where: { runtime.snapshot.routes.providers[$0].signing != nil }) {
            return Self.signedBodyLimit
        }
        guard fitting.count > 1 else { return Self.wholeBodyLimit }
        return max(Self.wholeBodyLimit, runtime.snapshot.configuration.failover.maxBodyBytes)
    }

    private var isStreamed: Bool {
        switch head.framing {
        case .none: false
        case .fixed(let length): length > wholeLimit
        case .chunked: body.count > wholeLimit
        }
    }

    private func understandHead(_ resolved: ResolvedTarget) {
        facts = resolved.facts
        understandUpgrade(resolved)
        if case .fixed(let length) = head.framing, length <= Self.wholeBodyLimit { body.reserveCapacity(length) }
        let logging = runtime.snapshot.configuration.logging
        if logging.logRequestBody { requestCapture = BodyCapture(limit: logging.maxBodyBytes) }
        if logging.logResponseBody { responseCapture = BodyCapture(limit: logging.maxBodyBytes) }
    }

    /// A piece of the body; false asks for a pause.
    func receiveBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytesIn += Int64(bytes.count)
        callerMovedAt = worker.now
        if isSettled || ending != nil { return true }
        requestCapture?.append(bytes)
        // Once its beginning was read, whether or not the provider has been dialled by now.
        do throws(Problem) { try readOn(bytes) } catch {
            fail(error)
            return true
        }
        if let transfer { return transfer.send(bytes) }
        do throws(Problem) { try reserve(bytes.count) } catch {
            fail(error)
            return true
        }
        body.append(contentsOf: bytes)
        if record == .none, isStreamed, body.count >= Self.factsPrefix {
            do throws(Problem) { try attempt() } catch { fail(error) }
        }
        readAhead()
        // A key command is still running.
        return transfer != nil || body.count < wholeLimit + Connection.highWater
    }

    func bodyEnded() {
        isBodyComplete = true
        if isSettled || ending != nil { return }
        if let transfer { return transfer.endBody() }
        if record == .none {
            do throws(Problem) { try attempt() } catch { fail(error) }
        }
    }
}
