// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Compression
internal import HTTP
internal import Linux
internal import MenshenCore
internal import MenshenUpstream

extension Exchange: TransferReceiver {
    /// Unsent bytes above which 1xx heads are left out.
    private static let interimLimit = 16 << 10

    func transferReceivedInterim(_ transfer: Transfer) {
        // 100 is between menshen and the provider; an HTTP/1.0 caller knows no 1xx.
        guard transfer.head.status != 100, head.isHTTP11 else { return }
        // They only say that an answer is on its way; a caller that does not read them needs no more.
        guard connection.pendingOutput < Self.interimLimit else { return }
        transfer.head.appendInterim(to: &connection.output)
        connection.mark()
    }

    func transferReceivedHead(_ transfer: Transfer) {
        if divert(transfer.head) { return }
        wait(.nothing)
        let mark = connection.output.count
        let wasKept = keepAlive
        beginAnswer(transfer.head)
        holdIfUseful(mark, wasKept)
        if held == nil { accept(transfer.head) }
        if framing == ResponseHead.Framing.none || framing == .fixed(0) { answerIsWhole() }
    }

    /// The head that the caller gets.
    func beginAnswer(_ head: ResponseHead) {
        firstByteAt = Clock.monotonic()
        status = head.status
        if body.isEmpty { giveBack() }
        // What is left of the request body would be taken for the next request.
        keepAlive = keepAlive && isBodyComplete && !worker.isDraining
        worker.prepare(&connection.output)
        var additions = additions
        additions.hidesLength = isFiltered(head)
        framing = head.append(
            to: &connection.output, method: self.head.method, isHTTP11: self.head.isHTTP11, keepAlive: &keepAlive,
            additions)
        observe(head)
        captureForCache(head)
        connection.mark()
    }

    /// The transfer would wait for the rest of a body that the caller, who has its answer, may never send.
    private func answerIsWhole() {
        if isBodyComplete { return }
        keepAlive = false
        endEarly()
    }

    func transferReceivedBody(_ transfer: Transfer, _ bytes: UnsafeRawBufferPointer) -> Bool {
        if diverted != nil {
            divert(bytes)
            return true
        }
        if connection.pendingOutput >= connection.highWater {
            watchCaller()
            return false
        }
        worker.prepare(&connection.output)
        passOn(bytes)
        if held != nil { judgeHeld() }
        if observer?.isOver == true { awaitClose() }
        return true
    }

    /// A piece of the answer's body, observed and relayed.
    func passOn(_ bytes: UnsafeRawBufferPointer) {
        observe(bytes)
        if filter != nil, observer?.mayBeStream != true { dropFilter() }
        if filter == nil {
            relay(bytes)
        } else {
            let kept = bytes.withMemoryRebound(to: UInt8.self) { filter?.pass($0.span) ?? [] }
            kept.withUnsafeBytes { relay($0) }
        }
    }

    func relay(_ bytes: UnsafeRawBufferPointer) {
        if bytes.isEmpty { return }
        switch framing {
        case .fixed(let length):
            // More than was announced would be read as the next answer.
            let count = min(bytes.count, length - Int(bytesOut))
            if count > 0 { deliver(UnsafeRawBufferPointer(rebasing: bytes[..<count])) }
            guard Int(bytesOut) == length else { return }
            // Before the transfer is done with it, and its record made.
            connection.flush()
            if !isSettled { answerIsWhole() }
        case .chunked:
            connection.output.append(hexadecimal: bytes.count)
            connection.output.append(ascii: "\r\n")
            deliver(bytes)
            connection.output.append(ascii: "\r\n")
        case .untilClose: deliver(bytes)
        case nil, .some(.none): break
        }
    }

    func deliver(_ bytes: UnsafeRawBufferPointer) {
        connection.output.append(contentsOf: bytes)
        bytesOut += Int64(bytes.count)
        responseCapture?.append(bytes)
        if storing != nil { storeForCache(bytes) }
        connection.mark()
    }

    /// What is to be read of the answer beside the relay.
    private func observe(_ head: ResponseHead) {
        if framing == ResponseHead.Framing.none { return }
        if let encoding = head.first(.contentEncoding) {
            let coding = ContentCoding(fieldValue: encoding.utf8)
            if coding != .identity { filter = nil }
            guard let coding else { return }
            if coding != .identity {
                decoder = Decoder(coding)
                if decoder == nil { return }
            }
        }
        // What somebody has stored there is what it is.
        if operation == .files, resolved?.target.isContent == true { return }
        observer = AnswerObserver(
            operation, contentType: head.first(.contentType) ?? "", asksForStream: facts.isStream == true)
        if observer?.mayBeStream != true { filter = nil }
        // A filtered answer has another length than was announced.
        if case .fixed = framing { filter = nil }
    }

    private func observe(_ bytes: UnsafeRawBufferPointer) {
        guard observer != nil else { return }
        guard let decoder else { return bytes.withMemoryRebound(to: UInt8.self) { observer?.observe($0.span) } }
        let outcome = decoder.decode(bytes) { piece in
            piece.withMemoryRebound(to: UInt8.self) { observer?.observe($0.span) }
        }
        // What can't be read says nothing, about its end neither.
        if outcome == .corrupt || outcome == .tooMuch { observer = nil }
    }

    func transferRepeats(_ transfer: Transfer) {
        finishAttempt(UpstreamFailure(.staleConnection), status: nil)
        attemptStartedAt = Clock.monotonic()
    }

    func transferWantsBody(_ transfer: Transfer) { connection.resumeReading() }

    /// The caller took what was waiting.
    func outputHasRoom() {
        callerMovedAt = worker.now
        transfer?.resume()
        webSocket?.resume()
        if replay != nil { continueReplay() }
    }

    func transferFinished(_ transfer: Transfer, _ failure: UpstreamFailure?) {
        self.transfer = nil
        if diverted != nil { return divertedEnded(failure) }
        var failure = hasLastWord ? nil : failure
        if let failure, framing == nil || held != nil, held == nil || hasNext(after: .failed) {
            withdraw()
            return tryFailed(failure)
        }
        if failure == nil { failure = faultOfEnd() }
        if held != nil {
            // Nothing of worth came before it broke off.
            if let failure, hasNext(after: .failed) {
                withdraw()
                return tryFailed(failure)
            }
            release()
        }
        settleTransfer(transfer.head, failure)
    }

    /// Everything that is to come of the answer has come.
    func endAnswer(_ head: ResponseHead, _ failure: UpstreamFailure? = nil) {
        if filter != nil, let rest = filter?.end(), !rest.isEmpty { rest.withUnsafeBytes { relay($0) } }
        guard let failure else {
            if framing == .chunked {
                connection.output.append(ascii: "0\r\n")
                head.appendTrailers(to: &connection.output)
                connection.output.append(ascii: "\r\n")
            }
            return end(answerState, .keepAlive(keepAlive))
        }
        let problem = Self.problem(failure, provider: providerName)
        problemCode = problem.code.rawValue
        if framing == .chunked, decoder == nil, let event = observer?.closingEvent(problem) {
            event.withUnsafeBytes { relay($0) }
        }
        end(failure.isTimeout ? .timeout : .truncated, .breakOff(needsReset: framing == .untilClose))
    }

    /// How an answer that came whole has ended.
    var answerState: EndState {
        guard status == 200, case .failed(let code) = observer?.ending else { return .complete }
        problemCode = code
        return .streamError
    }

    var providerName: String {
        providerIndex.map { runtime.snapshot.routes.providers[$0].name } ?? "-"
    }

    /// The one place where an upstream failure becomes an answer.
    static func problem(_ failure: UpstreamFailure, provider: String) -> Problem {
        let who = "Provider '\(provider)'"
        switch failure.reason {
        case .resolve:
            return Problem(
                .upstreamUnreachable, status: 502, "\(who): its host name has no address. Check base_url and DNS.",
                isRetryable: true)
        case .connect:
            return Problem(
                .upstreamUnreachable, status: 502, "\(who) refuses the connection or cannot be reached.",
                isRetryable: true)
        case .tls:
            return Problem(
                .upstreamUnreachable, status: 502,
                "\(who): TLS failed: \(failure.detail)."
            )
        case .proxy:
            return Problem(
                .upstreamUnreachable, status: 502, "\(who): the configured proxy failed. (\(failure.detail))",
                isRetryable: true)
        case .unavailable:
            return Problem(
                .overloaded, status: 503, "\(who) cannot be asked. (\(failure.detail))", isRetryable: true)
        case .reset, .staleConnection:
            return Problem(
                .upstreamBroken, status: 502, "\(who) closed the connection before it answered.", isRetryable: true)
        case .malformed:
            return Problem(
                .upstreamBroken, status: 502, "\(who) sent an answer that cannot be relayed safely. (\(failure.detail))"
            )
        case .truncated:
            return Problem(.upstreamBroken, status: 502, "\(who): its answer broke off.", isRetryable: true)
        case .connectTimeout:
            return Problem(
                .upstreamTimeout, status: 504, "\(who) did not accept a connection within upstream.connect_timeout.",
                isRetryable: true)
        case .firstByteTimeout:
            return Problem(
                .upstreamTimeout, status: 504, "\(who) did not begin to answer within upstream.first_byte_timeout.",
                isRetryable: true)
        case .gapTimeout:
            return Problem(
                .upstreamTimeout, status: 504, "\(who) fell silent for upstream.gap_timeout.", isRetryable: true)
        case .totalTimeout:
            return Problem(
                .upstreamTimeout, status: 504, "\(who) did not finish within upstream.total_timeout.", isRetryable: true
            )
        }
    }
}
