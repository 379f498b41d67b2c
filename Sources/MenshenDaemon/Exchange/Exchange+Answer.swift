// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore
internal import MenshenStore

/// What answers and records say of a request, and how answers of menshen's own go down.
extension Exchange {
    /// Without a target, and for paths of no dialect, errors have OpenAI's shape.
    var dialect: Dialect { resolved?.dialect ?? .common }
    var operation: Operation { resolved?.operation ?? .other }
    var providerName: String { walk.provider.map { runtime.snapshot.routes.providers[$0].name } ?? "-" }

    // MARK: Records

    /// What is masked in whatever is kept of this request.
    var secrets: SecretSet { runtime.secrets(and: attempt?.maskedKey) }

    func masked(_ text: String) -> String { secrets.masked(text) }

    /// Has the intent recorded. Where that is not done at once, the answer waits for the store's receipt.
    func recordIntent(_ provider: String?) {
        let intent = AuditIntent(of: self, provider: provider)
        let isSafe = worker.note(intent)
        if !isSafe { worker.record(.intent(intent), for: self) }
        ledger.record(intent, isSafe: isSafe)
    }

    /// Bytes of the answer stay in the connection: its record is not safe, or it may be another's turn to answer.
    var holdsOutput: Bool {
        if case .judging = phase { return true }
        return ledger.isAwaited
    }

    // MARK: Going down

    /// What every head of an answer gets. `asked`: when the provider was asked whose answer is just coming.
    func additions(asked: UInt64? = nil) -> ResponseHead.Additions {
        .init(
            requestID: id.ascii, allowedOrigin: access.allowedOrigin, xCache: recall.record?.outcome.header,
            debugLines: runtime.snapshot.configuration.server.debugHeaders ? DebugHeaders.lines(of: self, asked) : [])
    }

    /// A head is about to be written.
    func prepareAnswer() {
        if intake.body.isEmpty, recall.replay == nil {
            intake.giveBack(to: &worker.bodies, of: access.principal.payer)
        }
        // What is left of the request body would be taken for the next request.
        if !intake.isComplete || worker.isDraining { writer.closeAfter() }
        worker.prepare(&connection.output)
    }

    /// A piece of the answer's body. Returns what of it goes down.
    func write(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let connection = connection
        let written = writer.write(bytes, to: &connection.output)
        if !written.isEmpty { connection.mark() }
        return written
    }

    // MARK: menshen's own

    /// Answers with a problem, or breaks off if the provider's head went down already.
    func fail(_ problem: Problem, _ state: EndState = .refused) {
        if phase.isOver { return }
        ledger.note(problem)
        attempt?.giveUp(for: problem)
        attempt?.release()
        if writer.hasBegun { return end(state, .breakOff(needsReset: writer.needsReset)) }
        if !intake.isComplete { writer.closeAfter() }
        let isPage = resolved?.page != nil
        answer(isPage ? PageVisit.refusal(problem, of: self) : LocalAnswer(problem, dialect, id), state)
    }

    func answer(_ answer: LocalAnswer, _ state: EndState = .complete) {
        if worker.isDraining { writer.closeAfter() }
        write(answer)
        end(state, .keepAlive(writer.keepAlive))
    }

    func write(_ answer: LocalAnswer) {
        writer.write(
            answer, additions(), date: worker.dateLine, at: Clock.monotonic(), to: &connection.output)
    }
}
