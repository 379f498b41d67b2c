// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux

/// Reads the answer.
extension PlainTransfer {
    func linkIsReady(_ link: Link, _ readiness: Readiness) {
        if readiness.contains(.writable) { flush() }
        if !isPaused, !readiness.isDisjoint(with: .input) { receive() }
        settle()
    }

    /// Level-triggered: what is left is reported again. One read a turn, so that a fast provider starves nobody.
    func receive() {
        guard let link, receiver != nil else { return }
        switch link.read(into: engine.scratch) {
        case .wouldBlock: break
        case .bytes(0): ended("the provider closed the connection")
        case .failed(let code):
            ended(String(describing: SystemError("read", code: code, subject: "the connection")), isBroken: true)
        case .bytes(let count):
            take(UnsafeRawBufferPointer(rebasing: engine.scratch[..<count]))
        }
    }

    private func take(_ bytes: UnsafeRawBufferPointer) {
        if !hasAnswered {
            hasAnswered = true
            mayRepeat = false
            // It is gone; so should be the key.
            if outgoing.isEmpty, isUploadComplete { outgoing.wipe() }
        }
        bytes.withMemoryRebound(to: UInt8.self) { buffer in
            do {
                try read(buffer)
            } catch {
                end(
                    hasFinalHead
                        ? UpstreamFailure(.truncated, "the answer's body is not framed as it should be: \(error)")
                        : UpstreamFailure(.malformed, "the answer's head is not safe to relay: \(error)"))
            }
        }
    }

    private func read(_ bytes: UnsafeBufferPointer<UInt8>) throws {
        var used = 0
        while used < bytes.count, !isCancelled {
            switch state {
            case .head, .trailers:
                guard let whole = takeLine(bytes, &used) else { return }
                if whole.isEmpty {
                    let begun = line
                    line = []
                    try lineEnded(try head.add(begun.span), begun.count)
                } else {
                    try lineEnded(try head.add(bytes.extracting(whole).span), whole.count)
                }
            case .body(var decoder):
                let step = try decoder.next(bytes.span, from: used)
                state = .body(decoder)
                switch step {
                case .needMore: return
                case .end(let consumed):
                    used = consumed
                    state = .trailers
                case .data(let range):
                    used = range.upperBound
                    guard deliver(bytes, range) else { return }
                    if decoder.isDone { state = .whole }
                }
            case .bodyUntilClose:
                guard deliver(bytes, used..<bytes.count) else { return }
                used = bytes.count
            case .idle, .connecting: return
            case .whole:
                // Said unasked: whatever it is, the connection can't be trusted with another request.
                isSendBroken = true
                return
            }
        }
    }

    /// One line with its end: a range of `bytes`, or, if it began earlier, empty for what is in `line`. nil: it goes on.
    private func takeLine(_ bytes: UnsafeBufferPointer<UInt8>, _ used: inout Int) -> Range<Int>? {
        guard let end = bytes[used...].firstIndex(of: 10) else {
            line += bytes[used...]
            used = bytes.count
            // `head` refuses what is too long.
            return line.count > ResponseHead.maxBytes ? 0..<0 : nil
        }
        defer { used = end + 1 }
        if line.isEmpty { return used..<end + 1 }
        line += bytes[used...end]
        return 0..<0
    }

    private func lineEnded(_ verdict: ResponseHead.LineVerdict, _ length: Int) throws {
        switch verdict {
        case .more: break
        case .interim: call { $0.transferReceivedInterim(self) }
        case .final: try headEnded()
        // The blank line ends them.
        case .trailer: if length <= 2 { state = .whole }
        }
    }

    private func headEnded() throws {
        hasFinalHead = true
        setTimer(endpoint.settings.gapTimeout)
        if head.status >= 300 { endUpload() }
        let isChunked = head.isChunked
        switch (isChunked, head.contentLength) {
        case _ where method == .head || head.status == 204 || head.status == 304: state = .whole
        case (true?, _): state = .body(try BodyDecoder(.chunked, limit: 1 << 60, leavesTrailers: true))
        case (false?, 0?): state = .whole
        case (false?, let length?): state = .body(try BodyDecoder(.fixed(length), limit: 1 << 60))
        case (false?, nil): state = .bodyUntilClose
        case (nil, _): throw ResponseHead.Fault.malformed
        }
        call { $0.transferReceivedHead(self) }
    }

    /// False when no more may be looked at now.
    private func deliver(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Bool {
        setTimer(endpoint.settings.gapTimeout)
        var goesOn = false
        call {
            goesOn = $0.transferReceivedBody(
                self, UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[range]))
        }
        guard receiver != nil, !isCancelled else { return false }
        if goesOn { return true }
        isPaused = true
        pauseTimer()
        stash = Array(bytes[range.lowerBound...])
        stashedBody = range.count
        link?.want(outgoing.isEmpty || isSendBroken ? [] : .writable)
        return false
    }

    func unpause() {
        guard isPaused, receiver != nil else { return }
        isPaused = false
        setTimer(endpoint.settings.gapTimeout)
        let (bytes, count) = (stash, stashedBody)
        stash = []
        stashedBody = 0
        bytes.withUnsafeBufferPointer { buffer in
            guard deliver(buffer, 0..<count) else {
                return
            }
            if case .body(let decoder) = state, decoder.isDone { state = .whole }
            take(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: buffer[count...])))
        }
        if !isPaused, receiver != nil {
            link?.want(outgoing.isEmpty || isSendBroken ? .readable : [.readable, .writable])
        }
        settle()
    }

    /// The connection has come to its end.
    func ended(_ detail: String, isBroken: Bool = false) {
        switch state {
        case .head where mayRepeat && !hasAnswered: repeatRequest()
        case .connecting, .head: end(UpstreamFailure(.reset, detail))
        case .bodyUntilClose where !isBroken:
            isSendBroken = true
            state = .whole
        case .body, .trailers, .bodyUntilClose: end(UpstreamFailure(.truncated, detail))
        case .whole, .idle: break
        }
    }
}
