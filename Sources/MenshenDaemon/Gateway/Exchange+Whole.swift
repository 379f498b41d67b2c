// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Compression
internal import HTTP
internal import MenshenCore
internal import MenshenUpstream

/// *relay*: whether an answer is whole. What the answer says of itself counts, and not how its transport ends: a transport
/// can end cleanly in the middle of a JSON text, and break, or fall silent, behind a stream's last word.
extension Exchange {
    /// How long the transport may take to end after a stream's last word. Providers do it in the same packet, or forget it.
    private static let patience: UInt64 = 1_000_000

    /// The stream has said its last word, and its coding, if any, is over: no failure of the transport takes that back.
    var hasLastWord: Bool {
        guard status == 200, held == nil, observer?.isStream == true, observer?.ending != .open else { return false }
        return hasWholeCoding
    }

    var hasWholeCoding: Bool { decoder.map { $0.outcome == .ended } ?? true }

    /// The transport has ended the body; nil: and so did the answer.
    func faultOfEnd() -> UpstreamFailure? {
        if case .fixed(let length) = framing, Int(bytesOut) < length {
            return UpstreamFailure(.truncated, "the answer is shorter than its Content-Length")
        }
        guard observer != nil, let status else { return nil }
        observer?.end()
        if status == 200, observer?.needsMarker == true, observer?.ending == .open {
            return UpstreamFailure(.truncated, "the stream ended without its completion marker")
        }
        // A part that was asked for is cut on purpose, and an error is one, however much of it there is.
        guard 200...299 ~= status, status != 206, framing != .fixed(0) else { return nil }
        if observer?.isCut == true { return UpstreamFailure(.truncated, "the answer ended within a value") }
        if let decoder, decoder.outcome == .more, bytesOut > 0, observer?.isStream == false {
            return UpstreamFailure(.truncated, "the answer ended within its content coding")
        }
        return nil
    }

    /// The stream has said its last word: its transport may end now.
    func awaitClose() {
        guard case .nothing = routeWait, transfer != nil, ending == nil, hasLastWord else { return }
        wait(.close, until: worker.now + Self.patience)
    }

    /// It did not. A caller that is slow is no fault of the provider, which may have more to say.
    func closeIsLate() {
        if connection.pendingOutput >= connection.highWater {
            return wait(.close, until: worker.now + Self.patience)
        }
        endEarly()
    }

    /// The answer is whole; its transfer is not, and is given up.
    func endEarly() {
        guard let transfer else { return }
        release()
        let head = transfer.head
        transfer.cancel()
        self.transfer = nil
        settleTransfer(head, hasLastWord ? nil : faultOfEnd())
    }

    /// Tells the record and the provider's health how the answer ended, and ends it for the caller.
    func settleTransfer(_ head: ResponseHead, _ failure: UpstreamFailure?) {
        finishAttempt(failure, status: status)
        if let failure { reportBreak(failure) } else { reportWhole() }
        endAnswer(head, failure)
    }

    /// It turned out to be no stream: nothing is taken out of it.
    func dropFilter() {
        let rest = filter?.end() ?? []
        filter = nil
        rest.withUnsafeBytes { relay($0) }
    }
}
