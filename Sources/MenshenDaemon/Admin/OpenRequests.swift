// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// A request under way, as its worker sees it at one moment. Holds no key, and no token. Nothing is counted for it: all of this
/// is known for other reasons.
struct OpenRequest: Sendable {
    let intent: AuditIntent
    let state: OpenState
    let model: String?
    let provider: String?
    /// Monotonic microseconds.
    let startedAt: UInt64
    let firstByteAt: UInt64?
    let isStream: Bool?
    let status: Int?
    /// Attempts at providers that have ended.
    let attempts: Int
    let bytesIn: Int64
    let bytesOut: Int64
    /// As far as the answer has said so.
    let inputTokens: Int64?
    /// So many at least have come.
    let leastOutput: Int64?

    /// nil: nothing of it is under way, or it is for a page of menshen's own.
    init?(_ exchange: Exchange) {
        guard let state = OpenState(exchange) else { return nil }
        self.state = state
        intent = exchange.ledger.intent ?? AuditIntent(of: exchange, provider: nil)
        model = exchange.intake.facts.model.map { AuditText.name(exchange.masked($0)) }
        provider = exchange.walk.provider == nil ? nil : exchange.providerName
        startedAt = exchange.startedAt
        firstByteAt = exchange.writer.firstByteAt
        isStream = exchange.intake.upgrade == nil ? exchange.intake.facts.isStream : true
        status = exchange.writer.status
        attempts = exchange.walk.attempts.count
        bytesIn = exchange.intake.bytesIn
        bytesOut = exchange.writer.bytesOut
        let usage = exchange.attempt?.webSocket?.observer.usage ?? exchange.attempt?.reader.usage
        inputTokens = usage?.inputTotal
        leastOutput = exchange.attempt?.reader.leastOutput ?? usage?.outputTotal
    }

    /// `now`: monotonic microseconds.
    func json(now: UInt64) -> String {
        let caller = intent.caller
        return JSONMember.object([
            JSONMember.text("id", intent.id.description), JSONMember.text("state", state.rawValue),
            JSONMember.number("age_us", now > startedAt ? now - startedAt : 0),
            JSONMember.text("token", intent.tokenName), JSONMember.number("uid", caller.uid),
            JSONMember.text("executable", caller.executable), JSONMember.text("unit", caller.unit),
            JSONMember.text("client", intent.client.client), JSONMember.text("session", intent.client.session),
            JSONMember.text("operation", intent.operation.rawValue), JSONMember.text("model", model),
            JSONMember.text("provider", provider),
            JSONMember.json("stream", isStream.map { "\($0)" }),
            JSONMember.number("attempts", attempts), JSONMember.number("status", status),
            JSONMember.number("bytes_in", bytesIn), JSONMember.number("bytes_out", bytesOut),
            JSONMember.number("first_byte_us", firstByteAt.map { $0 - startedAt }),
            JSONMember.number("input_tokens", inputTokens),
            JSONMember.number("output_tokens_least", leastOutput),
        ])
    }
}

extension OpenState {
    fileprivate init?(_ exchange: Exchange) {
        if exchange.resolved?.page != nil { return nil }
        switch exchange.phase {
        case .awaitingProject, .reading: self = .reading
        case .recalling, .awaitingSpending, .awaitingKey, .awaitingReceipt: self = .waiting
        case .queued: self = .queued
        case .asking, .discarding, .judging, .changing: self = .asked
        case .relaying, .closing, .replaying:
            let isStream = exchange.intake.upgrade != nil || exchange.intake.facts.isStream == true
            self = isStream ? .streaming : .answering
        case .visiting, .following, .ending, .over: return nil
        }
    }
}

/// What is under way at one worker, or at several: the oldest, and how many there are.
struct OpenRequests: Sendable {
    /// More are counted, but not listed.
    static let limit = 1000

    /// The oldest first.
    private(set) var oldest: [OpenRequest] = []
    private(set) var count = 0

    init() {}

    /// On the worker's thread.
    init(at worker: Worker, limit: Int = Self.limit) {
        var exchanges = worker.connections.values.compactMap(\.exchange)
        exchanges.removeAll { OpenState($0) == nil }
        count = exchanges.count
        exchanges.sort { $0.startedAt < $1.startedAt }
        oldest = exchanges.prefix(limit).compactMap { OpenRequest($0) }
    }

    mutating func merge(_ other: OpenRequests, limit: Int = Self.limit) {
        count += other.count
        if other.oldest.isEmpty { return }
        oldest = Array((oldest + other.oldest).sorted { $0.startedAt < $1.startedAt }.prefix(limit))
    }
}
