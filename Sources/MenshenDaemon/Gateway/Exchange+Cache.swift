// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore
internal import MenshenStore
internal import Reactor

/// An answer on its way to the caller that may be stored once it is whole.
struct StoredPart {
    let fieldLines: [UInt8]
    var body: [UInt8] = []
}

/// A stored answer on its way to the caller.
struct Replay {
    let answer: CachedAnswer
    private var splitter: EventSplitter
    /// Everything is in the connection's output.
    private(set) var isOver = false

    init(_ answer: CachedAnswer) {
        self.answer = answer
        splitter = EventSplitter(answer)
    }

    mutating func next() -> Range<Int>? {
        let piece = splitter.next()
        if piece == nil { isOver = true }
        return piece
    }

    /// What the answer says of itself holds for this one too; what it cost was paid once.
    func describe(_ settlement: inout AuditSettlement) {
        settlement.answer = AnswerRecord(
            usage: nil, model: answer.model, finishReason: answer.finishReason, serviceTier: answer.serviceTier,
            endUser: settlement.answer?.endUser, masking: [])
        settlement.usageState = .none
    }
}

/// *recall*: whether the answer is there already, and keeping it if it may serve again.
extension Exchange {
    /// Asks the cache. True: its word, or that of another request for the same, is awaited.
    func recall(_ resolved: ResolvedTarget) -> Bool {
        guard let cache = runtime.snapshot.cache, let maxAge = runtime.snapshot.configuration.cache.maxAge else {
            return false
        }
        let control = CacheControl(request: head)
        guard !control.noStore, isBodyComplete, upgrade == nil, operation.isCacheable(path: resolved.target.path),
            let key = CacheKey(parts(resolved), head, body: body)
        else {
            cacheRecord = CacheRecord(.bypass)
            return false
        }
        cacheKey = key
        cacheRecord = CacheRecord(.miss)
        if control.noCache { return false }
        let askedAge = control.maxAge.map { UInt64(clamping: $0).multipliedReportingOverflow(by: 1_000_000) }
        let age = min(maxAge.microseconds, askedAge.map { $0.overflow ? .max : $0.partialValue } ?? .max)
        let isAsked = cache.lookup(key, now: Clock.wall(), maxAge: age) { [id, mailbox = worker.context.mailbox] in
            mailbox.post(.recalled(id, $0))
        }
        guard isAsked else { return false }
        wait(.recall)
        worker.awaitRecall(self)
        return true
    }

    private func parts(_ resolved: ResolvedTarget) -> CacheKeyParts {
        let providers = fitting.map { runtime.snapshot.routes.providers[$0] }
        var parts = CacheKeyParts(
            dialect: resolved.dialect, operation: operation, path: resolved.target.path, query: resolved.target.query)
        parts.providers = providers.map { provider in
            CacheKeyParts.describe(provider) + [provider.model ?? ""]
                + provider.aliases.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        }
        parts.model = facts.model
        parts.isStream = facts.isStream == true
        parts.showsUsage = asksForUsage || providers.allSatisfy { $0.includeUsage && !$0.stripAddedUsage }
        parts.isShared = runtime.snapshot.configuration.cache.scope == .instance
        parts.caller = runtime.snapshot.configuration.cache.scope.identity(
            tokenName: tokenName, uid: connection.caller.uid)
        return parts
    }

    /// The cache has answered.
    func recalled(_ lookup: CacheLookup) {
        if isSettled || ending != nil { return }
        switch lookup {
        case .hit(let answer): play(answer)
        case .miss:
            if let cacheKey, runtime.snapshot.configuration.cache.coalesce, worker.joinFlight(self, to: cacheKey) {
                return
            }
            recallEnded()
        }
    }

    /// Nothing is stored, and nobody else is asking: on to the provider.
    func recallEnded() {
        wait(.nothing)
        do throws(Problem) { try makePlan() } catch { fail(error) }
    }

    // MARK: A stored answer

    func play(_ answer: CachedAnswer) {
        wait(.nothing)
        cacheRecord = CacheRecord(.hit, source: answer.requestID, saved: answer.usage)
        recordIntent(nil)
        body = []
        replay = Replay(answer)
        status = answer.status
        firstByteAt = Clock.monotonic()
        keepAlive = keepAlive && !worker.isDraining
        worker.prepare(&connection.output)
        writeHead(of: answer)
        connection.mark()
        continueReplay()
    }

    private func writeHead(of answer: CachedAnswer) {
        ResponseHead.append(status: answer.status, to: &connection.output)
        connection.output += answer.fieldLines
        if !answer.isStream {
            framing = .fixed(answer.body.count)
            ResponseHead.append(length: answer.body.count, to: &connection.output)
        } else if head.isHTTP11 {
            framing = .chunked
            connection.output.append(ascii: "Transfer-Encoding: chunked\r\n")
        } else {
            framing = .untilClose
            keepAlive = false
        }
        var date = HTTPDate()
        connection.output += date.line(at: answer.storedAt / 1_000_000)
        connection.output.append(ascii: "Age: ")
        connection.output.append(decimal: Int(clamping: answer.age(now: Clock.wall())))
        connection.output.append(ascii: "\r\n")
        ResponseHead.append(additions, to: &connection.output)
        ResponseHead.append(connection: keepAlive, isHTTP11: head.isHTTP11, to: &connection.output)
        connection.output.append(ascii: "\r\n")
    }

    /// As much of a stored answer as the caller takes, event by event.
    func continueReplay() {
        // Writing comes back here when it has made room.
        while ending == nil, connection.pendingOutput < connection.highWater {
            guard let answer = replay?.answer, let piece = replay?.next() else {
                if framing == .chunked { connection.output.append(ascii: "0\r\n\r\n") }
                return end(.complete, .keepAlive(keepAlive))
            }
            answer.body.withUnsafeBytes { relay(UnsafeRawBufferPointer(rebasing: $0[piece])) }
        }
    }

    // MARK: Storing

    /// The head that the caller gets is there: is its answer one to keep?
    func captureForCache(_ head: ResponseHead) {
        guard cacheKey != nil, cacheRecord?.outcome == .miss, head.status == 200, observer != nil,
            CacheControl(answer: head).allowsStoring(runtime.snapshot.configuration.cache.scope)
        else { return }
        storing = StoredPart(fieldLines: CachedAnswer.fieldLines(of: head))
    }

    func storeForCache(_ bytes: UnsafeRawBufferPointer) {
        guard let count = storing?.body.count else { return }
        if count + bytes.count > runtime.snapshot.configuration.cache.maxBodyBytes {
            storing = nil
        } else {
            storing?.body.append(contentsOf: bytes)
        }
    }

    /// The request ends: a whole answer is stored, and those who waited for it go on.
    func leaveCache(_ state: EndState) {
        guard let cacheKey else { return }
        let answer = state == .complete ? wholeAnswer() : nil
        storing = nil
        if let answer, let maxAge = runtime.snapshot.configuration.cache.maxAge {
            _ = runtime.snapshot.cache?.store(cacheKey, answer, maxAge: maxAge.microseconds)
        }
        worker.endFlight(of: self, cacheKey, answer, hasLeft: state == .clientGone)
    }

    private func wholeAnswer() -> CachedAnswer? {
        guard let storing, observer?.ending == .complete, hasWholeCoding else { return nil }
        let keys = secrets
        var answer = CachedAnswer(
            status: 200, fieldLines: storing.fieldLines, body: storing.body, isStream: observer?.isStream == true,
            storedAt: Clock.wall(), requestID: id)
        if answer.holds(keys) { return nil }
        let record = AnswerRecord(
            usage: observer?.usage, model: observer?.model, finishReason: observer?.finishReason,
            serviceTier: observer?.serviceTier, endUser: nil, masking: keys)
        answer.usage = record.usage
        answer.model = record.model
        answer.finishReason = record.finishReason
        answer.serviceTier = record.serviceTier
        return answer
    }
}
