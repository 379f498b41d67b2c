// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import MenshenUpstream

/// A caller that takes nothing of its answer, or sends nothing of its body, must not keep others waiting: for its place
/// at the provider, or for an answer that they share. While nobody waits it may be as slow as it likes.
extension Exchange {
    /// How long those who wait for a place put up with it: a reader of even a few kilobytes a second moves more often, and
    /// half the time that they have must be left. Microseconds.
    private var stallLimit: UInt64 {
        guard let index = providerIndex else { return 10_000_000 }
        return min(10_000_000, runtime.snapshot.routes.providers[index].queueTimeout.microseconds / 2)
    }

    /// How often it is looked whether others wait, and how long those who share the answer do.
    private var stallLook: UInt64 { min(2_000_000, stallLimit / 2) }

    /// The provider's bytes, or the body's, now wait for the caller.
    func watchCaller() {
        guard case .nothing = routeWait, hasSlot || cacheKey != nil else { return }
        callerMovedAt = worker.now
        wait(.caller, until: worker.now + stallLook)
    }

    /// From the timer that `watchCaller` has set.
    func lookAtCaller() {
        let isUploading = !isBodyComplete
        guard transfer != nil, isUploading || connection.pendingOutput >= connection.highWater else {
            return wait(.nothing)
        }
        // It is the provider who does not take the body.
        if isUploading, connection.isReadingPaused { callerMovedAt = worker.now }
        let stalled = worker.now - callerMovedAt
        if stalled >= stallLook, let cacheKey { worker.handOverFlight(of: self, cacheKey) }
        if stalled >= stallLimit, hasSlot, let index = providerIndex, runtime.states[index].slots.hasWaiting {
            return giveWay(isUploading)
        }
        wait(.caller, until: worker.now + stallLook)
    }

    private func giveWay(_ isUploading: Bool) {
        wait(.nothing)
        guard isUploading else {
            // It does not read, so nothing that is said reaches it; a reset frees what waits for it.
            problemCode = Problem.Code.requestTimeout.rawValue
            SocketIO.resetOnClose(connection.fd)
            return connection.callerLeft()
        }
        fail(
            Problem(
                .requestTimeout, status: 408,
                "The body stopped arriving for \(stallLimit / 1000) ms while others waited for its place at provider '\(providerName)'. See its max_concurrent.",
                isRetryable: true))
    }
}
