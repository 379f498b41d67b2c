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
            take(UnsafeMutableRawBufferPointer(rebasing: engine.scratch[..<count]))
        }
    }

    private func take(_ bytes: UnsafeMutableRawBufferPointer) {
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

    /// So many chunks of a read go on one by one. Of more, those that make less than `small` together go on together: for each
    /// byte by itself a read would cost milliseconds.
    private static let piecesApart = 16
    private static let small = 4 << 10

    private func read(_ bytes: UnsafeMutableBufferPointer<UInt8>) throws {
        var index = 0
        /// Body that is not handed on yet.
        var body = 0..<0
        var pieces = 0
        while !isCancelled {
            let step: ResponseReader.Step
            do {
                step = try reader.next(UnsafeBufferPointer(bytes).span, from: index, into: &head)
            } catch {
                // What came before the fault goes first; after a pause the fault is met again.
                if body.isEmpty || deliver(bytes, body, rest: index) { throw error }
                return
            }
            switch step {
            case .needMore:
                if !body.isEmpty { _ = deliver(bytes, body, rest: bytes.count) }
                return
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
                pieces += 1
                if pieces <= Self.piecesApart {
                    guard deliver(bytes, range, rest: index) else { return }
                } else if body.isEmpty {
                    body = range
                } else if body.count + range.count <= Self.small {
                    body = Self.join(bytes, body, range)
                } else {
                    guard deliver(bytes, body, ahead: range.count, rest: range.lowerBound) else { return }
                    body = range
                }
            case .end(let consumed):
                // When it is taken up again, it ends at once.
                if !body.isEmpty { guard deliver(bytes, body, rest: consumed) else { return } }
                state = .whole
                // Said unasked: whatever it is, the connection can't be trusted with another request.
                if consumed < bytes.count { isSpent = true }
                return
            }
        }
    }

    /// Moves a piece of the body behind the one before it; what stood between them has been read.
    private static func join(
        _ bytes: UnsafeMutableBufferPointer<UInt8>, _ body: Range<Int>, _ next: Range<Int>
    ) -> Range<Int> {
        if let start = bytes.baseAddress {
            (start + body.upperBound).update(from: start + next.lowerBound, count: next.count)
        }
        return body.lowerBound..<body.upperBound + next.count
    }

    /// False when no more may be looked at now. At `rest` the input goes on, first with `ahead` bytes of body.
    private func deliver(
        _ bytes: UnsafeMutableBufferPointer<UInt8>, _ body: Range<Int>, ahead: Int = 0, rest: Int
    ) -> Bool {
        setTimer(endpoint.settings.gapTimeout)
        var goesOn = false
        call {
            goesOn = $0.transferReceivedBody(
                self, UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[body]))
        }
        guard receiver != nil, !isCancelled else { return false }
        if goesOn { return true }
        isPaused = true
        pauseTimer()
        stash = Array(bytes[body]) + bytes[rest...]
        stashedBody = body.count + ahead
        link?.want(outgoing.isEmpty || isSendBroken ? [] : .writable)
        return false
    }

    func unpause() {
        guard isPaused, receiver != nil else { return }
        isPaused = false
        setTimer(endpoint.settings.gapTimeout)
        var bytes = stash
        let count = stashedBody
        stash = []
        stashedBody = 0
        bytes.withUnsafeMutableBufferPointer { buffer in
            guard deliver(buffer, 0..<count, rest: count) else { return }
            take(UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(rebasing: buffer[count...])))
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
