// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Decides from the kernel's word alone who may speak on a Unix socket of a user's instance: its own user, and root.
package struct PeerGate: Sendable {
    package enum Verdict: Sendable, Equatable {
        case own
        /// Root passes everywhere anyway; it is recorded as such.
        case root
        case foreign
    }

    private let ownUID: UInt32
    /// What the kernel shows for a uid it cannot map (65534): anybody, so it never matches.
    private let overflowUID: UInt32

    package init(ownUID: UInt32, overflowUID: UInt32) {
        self.ownUID = ownUID
        self.overflowUID = overflowUID
    }

    package func judge(uid: UInt32) -> Verdict {
        if uid == overflowUID || uid == 65534 { return .foreign }
        if uid == ownUID { return .own }
        return uid == 0 ? .root : .foreign
    }

    /// Why the gate does not work; nil if it does. `peerUID` is what a socket connected to ourselves reports. A gate that
    /// exists but lets everybody in is a defect other programs have shipped.
    package func fault(peerUID: UInt32?) -> String? {
        guard let peerUID else { return "the kernel does not say who connects to a Unix socket" }
        if peerUID != ownUID {
            // A sandbox that shows every peer as root, say, would make everybody pass.
            return "the kernel shows menshen's own connection as uid \(peerUID), but menshen runs as uid \(ownUID)"
        }
        if judge(uid: peerUID) != .own {
            return
                "menshen runs as uid \(peerUID), which the kernel also shows for users it does not know; use another user"
        }
        for uid in [ownUID &+ 1, ownUID &+ 100_000, overflowUID, 65534] where uid != 0 && judge(uid: uid) != .foreign {
            return "uid \(uid) would be let in"
        }
        return nil
    }
}
