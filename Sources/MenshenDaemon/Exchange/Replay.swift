// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import MenshenStore

/// A stored answer on its way to the caller, event by event.
final class Replay {
    let answer: CachedAnswer
    private unowned let exchange: Exchange
    private var splitter: EventSplitter
    /// Everything is in the connection's output.
    private(set) var isOver = false

    init(_ answer: CachedAnswer, _ exchange: Exchange) {
        self.answer = answer
        self.exchange = exchange
        splitter = EventSplitter(answer)
    }

    func start() {
        let exchange = exchange
        exchange.enter(.replaying)
        exchange.recordIntent(nil)
        exchange.intake.dropBody()
        exchange.prepareAnswer()
        exchange.writer.begin(
            answer, exchange.additions(), at: Clock.monotonic(), wall: Clock.wall(), to: &exchange.connection.output)
        exchange.connection.mark()
        goOn()
    }

    /// As much of it as the caller takes.
    func goOn() {
        let exchange = exchange
        // Writing comes back here when it has made room.
        while !exchange.phase.isOver, exchange.connection.pendingOutput < exchange.connection.highWater {
            guard let piece = splitter.next() else {
                isOver = true
                exchange.writer.end(nil, to: &exchange.connection.output)
                return exchange.end(.complete, .keepAlive(exchange.writer.keepAlive))
            }
            _ = answer.body.withUnsafeBytes { exchange.write(UnsafeRawBufferPointer(rebasing: $0[piece])) }
        }
    }

    /// What the answer says of itself holds for this one too; what it cost was paid once.
    func describe(_ settlement: inout AuditSettlement) {
        settlement.answer = AnswerRecord(
            usage: nil, model: answer.model, finishReason: answer.finishReason, serviceTier: answer.serviceTier,
            askedTier: settlement.answer?.askedTier, endUser: settlement.answer?.endUser, masking: [])
        settlement.usageState = .none
    }
}
