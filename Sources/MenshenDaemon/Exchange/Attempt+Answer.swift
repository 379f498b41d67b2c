// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore
internal import MenshenUpstream

/// The provider's answer as it comes.
extension Attempt: TransferReceiver {
    /// Unsent bytes above which 1xx heads are left out.
    private static let interimLimit = 16 << 10
    /// How long the transport may take to end after a stream's last word. Providers do it in the same packet, or forget it.
    private static let closePatience: UInt64 = 1_000_000

    // MARK: Its head

    func transferReceivedInterim(_ transfer: any Transfer) {
        let connection = exchange.connection
        // 100 is between menshen and the provider; an HTTP/1.0 caller knows no 1xx.
        guard transfer.head.status != 100, exchange.head.isHTTP11 else { return }
        // They only say that an answer is on its way; a caller that does not read them needs no more.
        guard connection.pendingOutput < Self.interimLimit else { return }
        transfer.head.appendInterim(to: &connection.output)
        connection.mark()
    }

    func transferReceivedHead(_ transfer: any Transfer) {
        // The head is copied each time that it is asked for.
        let (exchange, head) = (exchange, transfer.head)
        noteHeadroom(head)
        if discards(head) { return }
        let mark = exchange.connection.output.count
        let before = mayHold(head) ? exchange.writer : nil
        exchange.enter(.relaying)
        begin(head, asked: startedAt)
        if let before, reader.mayBeStream {
            held = HeldAnswer(outputMark: mark, writer: before)
            expectContent()
            let hold = runtime.snapshot.configuration.failover.hold.microseconds
            exchange.enter(.judging, until: contentLimit.end ?? exchange.worker.now + hold)
        } else {
            accept(head)
        }
        if exchange.writer.hasNoBody || exchange.writer.framing == .fixed(0) { wentDownWhole() }
    }

    /// Another provider or key may do better than this answer: then it is read to its end, for the record alone.
    private func discards(_ head: ResponseHead) -> Bool {
        let exchange = exchange
        let outcome = AttemptOutcome.answered(status: head.status)
        guard
            isRefusalOfAddedUsage(head.status)
                || outcome.remedy != .none && exchange.walk.hasNext(after: outcome, now: exchange.worker.now)
                || ContextLength.mayBeSaid(by: head.status)
                    && exchange.walk.hasNext(after: .tooLong, now: exchange.worker.now)
        else { return false }
        discarded = KeptAnswer(head: head, provider: provider)
        exchange.enter(.discarding, until: exchange.worker.now + KeptAnswer.patience)
        return true
    }

    /// The field that menshen has added may be the cause.
    private func isRefusalOfAddedUsage(_ status: Int) -> Bool {
        addedUsage.mayCause(status) && exchange.intake.isComplete && !exchange.intake.body.isEmpty
    }

    /// Whether the answer's beginning is held back until it shows itself: there is somebody else to ask, or a limit for that.
    private func mayHold(_ head: ResponseHead) -> Bool {
        let failover = runtime.snapshot.configuration.failover
        guard head.status == 200, failover.firstEventTimeout == nil else { return head.status == 200 }
        return failover.hold > .zero && exchange.walk.hasNext(after: .failed, now: exchange.worker.now)
    }

    /// The head that the caller gets.
    private func begin(_ head: ResponseHead, asked: UInt64? = nil) {
        let exchange = exchange
        let connection = exchange.connection
        exchange.prepareAnswer()
        var additions = exchange.additions(asked: asked)
        additions.hidesLength = reader.willShorten(head)
        exchange.writer.begin(head, additions, at: Clock.monotonic(), to: &connection.output)
        reader.begin(
            head, exchange.operation, asksForStream: exchange.intake.facts.isStream == true,
            isContent: exchange.resolved?.isContent == true, exchange.writer.framing)
        if exchange.recall.isMiss, head.status == 200,
            CacheControl(answer: head).allowsStoring(runtime.snapshot.configuration.cache.scope)
        {
            reader.beginStoring(head)
        }
        connection.mark()
    }

    /// The answer is the one that the caller gets: nothing is kept for another attempt.
    private func accept(_ head: ResponseHead?) {
        let exchange = exchange
        let status = exchange.writer.status ?? 200
        if exchange.intake.facts.isStream == true { exchange.ledger.pulse.streams(exchange.worker.context.tally) }
        report(.answered(status: status), head: head)
        rememberRefusedUsage(status)
        exchange.intake.dropBody()
        exchange.walk.forgetKept()
    }

    /// Everything that was announced went down. The transfer would wait for the rest of a body that the caller, who has its
    /// answer, may never send.
    private func wentDownWhole() {
        if exchange.intake.isComplete { return }
        exchange.writer.closeAfter()
        endEarly()
    }

    // MARK: Its body

    func transferRoom(_ transfer: any Transfer) -> Int {
        let exchange = exchange
        if case .discarding = exchange.phase { return .max }
        let room = exchange.connection.room
        if room == 0 {
            // It would wait for the hold's end.
            release()
            exchange.watchCaller()
        }
        return room
    }

    func transferReceivedBody(_ transfer: any Transfer, _ bytes: UnsafeRawBufferPointer) -> Bool {
        let exchange = exchange
        if case .discarding = exchange.phase {
            discard(bytes)
            return true
        }
        let connection = exchange.connection
        if connection.pendingOutput >= connection.highWater {
            exchange.watchCaller()
            return false
        }
        exchange.worker.prepare(&connection.output)
        exchange.ledger.pulse.piece(at: exchange.worker.now)
        passOn(bytes)
        if case .judging = exchange.phase { judge() }
        if exchange.allowance.watches { cutIfPassed() }
        if !exchange.phase.isOver, reader.isOver { awaitClose() }
        return true
    }

    /// One that is too long is given up, at the end of the turn.
    private func discard(_ bytes: UnsafeRawBufferPointer) {
        guard let count = discarded?.body.count, count <= KeptAnswer.limit else { return }
        discarded?.body.append(contentsOf: bytes)
        if count + bytes.count > KeptAnswer.limit { exchange.enter(.discarding, until: exchange.worker.now) }
    }

    /// A piece of the answer's body, observed and relayed.
    private func passOn(_ bytes: UnsafeRawBufferPointer) {
        reader.observe(bytes)
        guard let kept = reader.filtered(bytes) else { return relay(bytes) }
        kept.withUnsafeBytes { relay($0) }
    }

    private func relay(_ bytes: UnsafeRawBufferPointer) {
        let exchange = exchange
        let written = exchange.write(bytes)
        if reader.isStoring {
            reader.store(written, limit: runtime.snapshot.configuration.cache.maxBodyBytes)
        }
        guard !written.isEmpty, exchange.writer.isFull else { return }
        // Before the transfer is done with it, and its record made.
        exchange.connection.flush()
        if !exchange.phase.isOver { wentDownWhole() }
    }

    func transferRepeats(_ transfer: any Transfer, _ reason: UpstreamFailure.Reason) {
        record(UpstreamFailure(reason), status: nil)
        restart()
    }

    func transferWantsBody(_ transfer: any Transfer) { exchange.connection.resumeReading() }

    // MARK: Its end

    func transferFinished(_ transfer: any Transfer, _ failure: UpstreamFailure?) {
        let exchange = exchange
        transferEnded()
        if case .discarding = exchange.phase { return discardedEnded(failure) }
        var failure = hasLastWord ? nil : failure
        if let failure, mayBeWithdrawn { return withdraw(failure) }
        if failure == nil { failure = faultOfEnd() }
        if case .judging = exchange.phase {
            // Nothing of worth came before it broke off.
            if let failure, mayBeWithdrawn { return withdraw(failure) }
            release()
        }
        end(transfer.head, failure)
    }

    /// Nothing of the answer is the caller's yet, and another attempt may follow, or has to.
    private var mayBeWithdrawn: Bool {
        let exchange = exchange
        if case .judging = exchange.phase {
            return exchange.walk.hasNext(after: .failed, now: exchange.worker.now)
        }
        return !exchange.writer.hasBegun
    }

    /// The stream has said its last word, and it is the one that the caller gets.
    var hasLastWord: Bool {
        if case .judging = exchange.phase { return false }
        return reader.hasLastWord(exchange.writer.status)
    }

    private func faultOfEnd() -> UpstreamFailure? {
        let exchange = exchange
        return reader.faultOfEnd(exchange.writer.status, exchange.writer.framing, bytesOut: exchange.writer.bytesOut)
    }

    /// The stream has said its last word: its transport may end now.
    private func awaitClose() {
        let exchange = exchange
        guard case .relaying = exchange.phase, !exchange.timer.isSet, transfer != nil, hasLastWord else { return }
        exchange.enter(.closing, until: exchange.worker.now + Self.closePatience)
    }

    /// It did not. A caller that is slow is no fault of the provider, which may have more to say.
    func closeIsLate() {
        let exchange = exchange
        if exchange.connection.pendingOutput >= exchange.connection.highWater {
            return exchange.enter(.closing, until: exchange.worker.now + Self.closePatience)
        }
        endEarly()
    }

    /// The answer is whole; its transfer is not, and is given up.
    private func endEarly() {
        guard let transfer else { return }
        release()
        let head = transfer.head
        cut()
        end(head, hasLastWord ? nil : faultOfEnd())
    }

    /// The provider has ended the answer: tells the record and its health how, and ends it for the caller.
    private func end(_ head: ResponseHead, _ failure: UpstreamFailure?) {
        let exchange = exchange
        let status = exchange.writer.status
        record(failure, status: status)
        if let failure {
            exchange.walk.reopen()
            report(.failed, failure)
        } else if let status, AttemptOutcome.answered(status: status).isGood == true, reader.failureCode == nil {
            exchange.walk.reportWhole()
        }
        finish(head, failure)
    }

    /// What is still to be written of an answer.
    private func finish(_ head: ResponseHead, _ failure: UpstreamFailure?) {
        let exchange = exchange
        reader.rest().withUnsafeBytes { relay($0) }
        if exchange.phase.isOver { return }
        guard let failure else {
            exchange.writer.end(head, to: &exchange.connection.output)
            return exchange.end(EndState(ofWhole: exchange), .keepAlive(exchange.writer.keepAlive))
        }
        let problem = Problem(failure, provider: exchange.providerName)
        exchange.ledger.note(problem)
        if exchange.writer.framing == .chunked, let event = reader.closingEvent(problem) {
            event.withUnsafeBytes { relay($0) }
        }
        exchange.end(
            failure.isTimeout ? .timeout : .truncated, .breakOff(needsReset: exchange.writer.needsReset))
    }

    /// Ends a stream that has passed a limit which cuts, as one that breaks off.
    private func cutIfPassed() {
        let exchange = exchange
        guard !exchange.phase.isOver, transfer != nil, let output = reader.leastOutput,
            let problem = exchange.allowance.passed(by: output, exchange)
        else { return }
        release()
        giveUp(for: problem)
        reader.rest().withUnsafeBytes { relay($0) }
        if exchange.phase.isOver { return }
        if exchange.writer.framing == .chunked, let event = reader.closingEvent(problem) {
            event.withUnsafeBytes { relay($0) }
        }
        exchange.fail(problem, .aborted)
    }

    // MARK: An answer that is not passed on

    /// It is whole, or broke off.
    private func discardedEnded(_ failure: UpstreamFailure?) {
        let exchange = exchange
        guard let answer = discarded else { return }
        discarded = nil
        let outcome =
            answer.saysTooLong && exchange.walk.hasNext(after: .tooLong, now: exchange.worker.now)
            ? .tooLong : AttemptOutcome.answered(status: answer.head.status)
        ended(outcome, nil, status: answer.head.status, head: answer.head)
        if outcome != .tooLong, isRefusalOfAddedUsage(answer.head.status) {
            // It speaks of a field that the caller did not send.
            withdrawUsage()
            return exchange.orGiveUp { () throws(Problem) in try exchange.ask() }
        }
        if failure == nil { exchange.walk.keep(answer) }
        exchange.goOn(
            after: outcome, Problem(failure ?? UpstreamFailure(.reset), provider: exchange.providerName))
    }

    func discardedIsLate() {
        cut()
        discardedEnded(UpstreamFailure(.truncated))
    }

    /// What the last provider that answered had to say.
    func relay(_ answer: KeptAnswer) {
        let exchange = exchange
        exchange.enter(.relaying)
        begin(answer.head)
        answer.body.withUnsafeBytes { passOn($0) }
        if exchange.phase.isOver { return }
        reader.end()
        finish(answer.head, nil)
    }

    // MARK: An answer that may turn out to be an error

    /// Bytes of a held answer were read. Goes on elsewhere if they are an error, releases them if they are more.
    private func judge() {
        let exchange = exchange
        if reader.hasContent { return release() }
        guard let code = reader.failureCode else {
            // Events that promise nothing are short, except that Responses repeats the request's instructions in them.
            // Not one byte later: a transfer that is paused here would wait for the hold's end.
            if exchange.connection.pendingOutput >= exchange.connection.highWater { release() }
            return
        }
        let outcome = code == ContextLength.code ? .tooLong : AttemptOutcome.errorEvent(code)
        guard outcome.remedy != .none, exchange.walk.hasNext(after: outcome, now: exchange.worker.now) else {
            report(outcome)
            return release()
        }
        withdraw()
        cut()
        ended(outcome, nil, status: 200)
        exchange.goOnLater(after: outcome, .errorEvent(code, of: exchange.providerName))
    }

    /// The answer is the one: what was held goes down.
    func release() {
        let exchange = exchange
        guard case .judging = exchange.phase else { return }
        held = nil
        exchange.enter(.relaying)
        accept(nil)
        exchange.connection.mark()
    }

    /// The stream has not come to any content in time.
    func contentIsLate() {
        withdraw()
        cut()
        exchange.attemptFailed(UpstreamFailure(.firstEventTimeout))
    }

    /// Takes a held answer back as if it had never come.
    private func withdraw() {
        let exchange = exchange
        if let held {
            exchange.connection.output.removeSubrange(held.outputMark...)
            exchange.writer = held.writer
            exchange.enter(.asking)
            self.held = nil
        }
        reader = AnswerReader()
    }

    private func withdraw(_ failure: UpstreamFailure) {
        withdraw()
        exchange.attemptFailed(failure)
    }
}
