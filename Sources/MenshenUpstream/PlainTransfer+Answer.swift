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
        var index = 0
        while !isCancelled {
            switch try reader.next(bytes.span, from: index, into: &head) {
            case .needMore: return
            case .interim(let consumed):
                index = consumed
                call { $0.transferReceivedInterim(self) }
            case .head(let consumed):
                index = consumed
                hasFinalHead = true
                setTimer(endpoint.settings.gapTimeout)
                if head.status >= 300 { endUpload() }
                call { $0.transferReceivedHead(self) }
            case .data(let range):
                index = range.upperBound
                guard deliver(bytes, range) else { return }
            case .end(let consumed):
                state = .whole
                // Said unasked: whatever it is, the connection can't be trusted with another request.
                if consumed < bytes.count { isSpent = true }
                return
            }
        }
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
            guard deliver(buffer, 0..<count) else { return }
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
        // One that may have been read goes out once: it may have cost something.
        case .answering where mayRepeat && (isSafe || link?.hasReadNothing(wasClosed: !isBroken) == true):
            repeatRequest()
        case .answering where !hasFinalHead: end(UpstreamFailure(.reset, detail))
        // A write that failed has found a reset; what is read behind that looks like a clean end.
        case .answering where reader.endsWithConnection && !isBroken && (!isSendBroken || outgoing.isEmpty):
            isSpent = true
            state = .whole
        case .answering: end(UpstreamFailure(.truncated, detail))
        case .connecting, .whole, .idle: break
        }
    }
}
