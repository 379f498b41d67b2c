// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore
internal import MenshenUpstream

/// A provider's answer that is not passed on while another may give a better one: the last of them is what the caller
/// gets if none does.
struct KeptAnswer {
    /// Error bodies have a few hundred bytes.
    static let limit = 256 << 10
    /// How long the rest of one is waited for.
    static let patience: UInt64 = 1_000_000

    let head: ResponseHead
    let provider: Int
    var body: [UInt8] = []
}

/// An answer whose bytes are in the connection's output and may still be taken out of it.
struct HeldAnswer {
    let outputMark: Int
    let keepAlive: Bool
}

/// *attempt* and *relay* of an answer while another provider, or another key, may still give a better one.
extension Exchange {
    // MARK: An answer that is not passed on

    /// The head of an answer is there. True: it is kept to itself, because another provider or key may do better.
    func divert(_ head: ResponseHead) -> Bool {
        let outcome = AttemptOutcome.answered(status: head.status)
        guard let index = providerIndex,
            isRefusalOfAddedUsage(head.status) || outcome.remedy != .none && hasNext(after: outcome)
        else { return false }
        diverted = KeptAnswer(head: head, provider: index)
        wait(.rest, until: worker.now + KeptAnswer.patience)
        return true
    }

    /// A piece of it. One that is too long is given up, at the end of the turn.
    func divert(_ bytes: UnsafeRawBufferPointer) {
        guard let count = diverted?.body.count, count <= KeptAnswer.limit else { return }
        diverted?.body.append(contentsOf: bytes)
        if count + bytes.count > KeptAnswer.limit { wait(.rest, until: worker.now) }
    }

    /// It is whole, or broke off.
    func divertedEnded(_ failure: UpstreamFailure?) {
        guard let answer = diverted else { return }
        diverted = nil
        let outcome = AttemptOutcome.answered(status: answer.head.status)
        tryEnded(outcome, nil, status: answer.head.status, head: answer.head)
        if isRefusalOfAddedUsage(answer.head.status) { return askWithoutUsage() }
        if failure == nil { kept = answer }
        goOn(after: outcome, Self.problem(failure ?? UpstreamFailure(.reset), provider: providerName))
    }

    func restIsLate() {
        cancelTry()
        divertedEnded(UpstreamFailure(.truncated))
    }

    /// What the last provider that answered had to say.
    func relay(_ answer: KeptAnswer) {
        kept = nil
        providerIndex = answer.provider
        beginAnswer(answer.head)
        answer.body.withUnsafeBytes { passOn($0) }
        observer?.end()
        endAnswer(answer.head)
    }

    // MARK: An answer that may turn out to be an error

    /// Holds the answer back until it shows itself, if there is anybody else to ask.
    func holdIfUseful(_ mark: Int, _ keepAlive: Bool) {
        let limit = runtime.snapshot.configuration.failover.hold
        guard status == 200, limit > .zero, hasNext(after: .failed), observer?.mayBeStream == true else { return }
        held = HeldAnswer(outputMark: mark, keepAlive: keepAlive)
        connection.isHeld = true
        wait(.hold, until: worker.now + limit.microseconds)
    }

    /// The answer is the one that the caller gets: nothing is kept for another try.
    func accept(_ head: ResponseHead?) {
        let outcome = AttemptOutcome.answered(status: status ?? 200)
        report(outcome, head: head)
        rememberRefusedUsage()
        body = []
        kept = nil
    }

    /// The answer is the one: what was held goes down.
    func release() {
        guard held != nil else { return }
        held = nil
        accept(nil)
        wait(.nothing)
        connection.isHeld = record == .waiting
        connection.mark()
    }

    /// Bytes of a held answer were read. Goes on elsewhere if they are an error, releases them if they are more.
    func judgeHeld() {
        guard held != nil, observer?.hasContent == false else { return release() }
        guard case .failed(let code) = observer?.ending else {
            // Events that promise nothing are short, except that Responses repeats the request's instructions in them.
            // Not one byte later: a transfer that is paused here would wait for the hold's end.
            if connection.pendingOutput >= connection.highWater { release() }
            return
        }
        let outcome = AttemptOutcome.errorEvent(code)
        guard outcome.remedy != .none, hasNext(after: outcome) else {
            report(outcome)
            return release()
        }
        let problem = Problem(
            .upstreamBroken, status: 502, "Provider '\(providerName)' answered with an error event (\(code)).",
            isRetryable: true)
        withdraw()
        cancelTry()
        tryEnded(outcome, nil, status: 200)
        wait(.turn(outcome, problem))
        worker.resume(self)
    }

    /// Takes the held answer back as if it had never come.
    func withdraw() {
        guard let held else { return }
        self.held = nil
        connection.output.removeSubrange(held.outputMark...)
        connection.isHeld = record == .waiting
        keepAlive = held.keepAlive
        framing = nil
        status = nil
        firstByteAt = nil
        bytesOut = 0
        observer = nil
        decoder = nil
        filter = nil
        storing = nil
        if responseCapture != nil {
            responseCapture = BodyCapture(limit: runtime.snapshot.configuration.logging.maxBodyBytes)
        }
    }
}
