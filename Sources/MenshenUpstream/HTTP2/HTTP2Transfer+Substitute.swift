// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What the transfer that speaks HTTP/1.1 brings is this one's.
extension HTTP2Transfer: TransferReceiver {
    func transferReceivedInterim(_ transfer: any Transfer) { receiver?.transferReceivedInterim(self) }
    func transferReceivedHead(_ transfer: any Transfer) { receiver?.transferReceivedHead(self) }
    func transferRoom(_ transfer: any Transfer) -> Int { receiver?.transferRoom(self) ?? 0 }

    func transferReceivedBody(_ transfer: any Transfer, _ bytes: UnsafeRawBufferPointer) -> Bool {
        receiver?.transferReceivedBody(self, bytes) ?? false
    }

    func transferRepeats(_ transfer: any Transfer, _ reason: UpstreamFailure.Reason) {
        receiver?.transferRepeats(self, reason)
    }

    func transferWantsBody(_ transfer: any Transfer) { receiver?.transferWantsBody(self) }
    func transferFinished(_ transfer: any Transfer, _ failure: UpstreamFailure?) { finish(failure) }
}
