// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport

/// What a caller and the record say of one cell of the fault matrix. Providers are numbered in their order.
struct FaultOutcome: Equatable {
    enum End: String {
        case whole, broken
        /// An event that says so, then the break.
        case toldAndBroken = "error event, broken"
    }

    var status: Int
    /// "1", "2", "3", or menshen's own problem.
    var body: String
    var end = End.whole
    var attempts: [String]
    var endState = "complete"
    var problem: String?
    /// Of the record.
    var provider: Int
    /// Times that a limit has to run out first.
    var waits: [String] = []

    var row: String {
        let waits = waits.isEmpty ? "" : waits.joined(separator: " + ")
        return "\(status) | \(body) | \(end.rawValue) | \(attempts.joined(separator: "; ")) | "
            + "\(endState)\(problem.map { ", \($0)" } ?? "") | \(provider) | \(waits) |"
    }
}

/// The rules of contrib/manual/routing.md, for one cell.
extension FaultCell {
    private struct Failure {
        let reason: String
        let problem: String
        let status: Int
        let endState: String
    }

    /// No answer at all.
    private var failure: Failure? {
        switch fault {
        case .refused:
            Failure(reason: "connect", problem: "upstream_unreachable", status: 502, endState: "upstream_error")
        case .resetBeforeHead, .resetInHead:
            Failure(reason: "reset", problem: "upstream_broken", status: 502, endState: "upstream_error")
        case .garbage: Failure(reason: "malformed", problem: "upstream_broken", status: 502, endState: "upstream_error")
        case .hangBeforeHead:
            Failure(reason: "first_byte_timeout", problem: "upstream_timeout", status: 504, endState: "timeout")
        default: nil
        }
    }

    /// The reason of a try with this fault whose answer is not the request's own fault.
    private var reason: String? {
        switch fault {
        case .unauthorized, .forbidden: "unauthorized"
        case .requestTimeout: "upstream_timeout"
        case .limited, .limitedWithTime: "rate_limited"
        case .serverError, .unavailable, .overloaded: "server_error"
        case .errorAtHead: isStream && count > 1 ? "error_event" : "ok"
        default: failure?.reason ?? "ok"
        }
    }

    /// Whether another provider is asked after it.
    private var passes: Bool {
        switch fault {
        case .requestTimeout, .limited, .limitedWithTime, .serverError, .unavailable, .overloaded: true
        case .errorAtHead: isStream
        default: failure != nil
        }
    }

    var expected: FaultOutcome {
        let reason = reason ?? "ok"
        let statusOfTry = failure != nil ? "-" : "\(fault.status ?? 200)"
        let faultyTry = "\(statusOfTry) \(reason)"
        if passes, count > 1 {
            let tries = (1...count).map { $0 <= faulty ? "\($0) \(faultyTry)" : "\($0) 200 ok" }
            return FaultOutcome(
                status: 200, body: "\(count)", attempts: tries, provider: count,
                waits: fault == .hangBeforeHead ? Array(repeating: "first byte", count: faulty) : [])
        }
        var outcome = FaultOutcome(
            status: fault.status ?? 200, body: "1", attempts: ["1 \(faultyTry)"], provider: 1)
        if let failure {
            outcome.status = failure.status
            outcome.body = "menshen"
            outcome.endState = failure.endState
            outcome.problem = failure.problem
            if fault == .hangBeforeHead { outcome.waits = ["first byte"] }
        }
        switch fault {
        case .errorAtHead, .errorLater:
            outcome.endState = "stream_error"
            outcome.problem = "server_error"
        case .hangInBody:
            outcome.end = isStream ? .toldAndBroken : .broken
            outcome.attempts = ["1 200 gap_timeout"]
            outcome.endState = "timeout"
            outcome.problem = "upstream_timeout"
            outcome.waits = ["gap"]
        case .truncated:
            outcome.end = isStream ? .toldAndBroken : .broken
            outcome.attempts = ["1 200 truncated"]
            outcome.endState = "truncated"
            outcome.problem = "upstream_broken"
        default: break
        }
        return outcome
    }
}

/// What is seen.
extension FaultCell {
    /// What the caller sees; the record is added by `add`.
    func ask(_ socketPath: String) throws -> FaultOutcome {
        let caller = try RawClient(unix: socketPath)
        try caller.request("POST", "/v1/responses", ["Content-Type: application/json"], body: requestBody)
        let answer = try caller.head(to: "POST")
        var body: [UInt8] = []
        var end = FaultOutcome.End.whole
        switch answer.framing {
        case .length:
            let length = Int(answer["Content-Length"] ?? "") ?? -1
            while body.count < length {
                let piece = try caller.wire.read(atMost: length - body.count)
                if piece.isEmpty { break }
                body += piece
            }
            if body.count < length { end = .broken }
        case .chunked:
            do {
                while let chunk = try caller.chunk() { body += chunk }
                _ = try caller.trailers()
            } catch is TestFailure {
                end = .broken
            }
        case .none, .close: throw TestFailure("\(name) is framed as \(answer.framing)")
        }
        // One answer, and nothing after it.
        caller.wire.finishWriting()
        guard try caller.wire.readToEnd().isEmpty else { throw TestFailure("\(name): more came after the answer") }
        let text = String(decoding: body, as: UTF8.self)
        let (whose, rest) = whose(text)
        if end == .broken, rest.contains("response.failed") {
            end = .toldAndBroken
        } else if !rest.isEmpty, answer.problem == nil {
            throw TestFailure("\(name): a body that nobody sent: \(text)")
        }
        if let place = Int(whose), answer.status >= 400, answer["X-By"] != whose || answer.status != fault.status {
            throw TestFailure("\(name): the head is not that of provider \(place): \(answer.head.text)")
        }
        if fault == .limitedWithTime, answer.status == 429, answer["Retry-After"] != "30" {
            throw TestFailure("\(name): Retry-After is lost")
        }
        return FaultOutcome(
            status: answer.status, body: answer.problem == nil ? whose : "menshen", end: end, attempts: [],
            problem: answer.problem, provider: 0)
    }

    /// Whose body it is, and what menshen added to it.
    private func whose(_ text: String) -> (String, String) {
        for place in 1...count {
            let own = body(of: place)
            if text.hasPrefix(own) { return ("\(place)", String(text.dropFirst(own.count))) }
        }
        return ("nobody", text)
    }

    func add(_ row: RequestRow, to outcome: FaultOutcome) throws -> FaultOutcome {
        var outcome = outcome
        guard row.status == outcome.status else { throw TestFailure("\(name): \(row.status ?? 0) is recorded") }
        if let problem = outcome.problem, problem != row.problem {
            throw TestFailure("\(name): \(problem) is said, \(row.problem ?? "nothing") recorded")
        }
        outcome.attempts = row.attempts.map { $0.replacing("\(name)-", with: "") }
        outcome.endState = row.endState
        outcome.problem = row.problem
        outcome.provider = (row.provider?.last).flatMap { Int(String($0)) } ?? 0
        return outcome
    }
}
