// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

@Suite struct AccessPeerGateTests {
    @Test func `the own user and root pass, everybody else does not`() {
        let gate = PeerGate(ownUID: 1000, overflowUID: 65534)
        #expect(gate.judge(uid: 1000) == .own)
        #expect(gate.judge(uid: 0) == .root)
        for uid: UInt32 in [1, 999, 1001, 65533, 65534, 65535, 100_000, .max] {
            #expect(gate.judge(uid: uid) == .foreign)
        }
    }

    @Test func `an unmapped user never passes, even as its own`() {
        for own: UInt32 in [65534, 1000, 0, 4_000_000] {
            #expect(PeerGate(ownUID: own, overflowUID: 65534).judge(uid: 65534) == .foreign)
            #expect(PeerGate(ownUID: own, overflowUID: 4_000_000).judge(uid: 65534) == .foreign)
            #expect(PeerGate(ownUID: own, overflowUID: 4_000_000).judge(uid: 4_000_000) == .foreign)
        }
        #expect(PeerGate(ownUID: 1000, overflowUID: 0).judge(uid: 0) == .foreign)
    }

    @Test func `root's instance takes root for its own`() {
        let gate = PeerGate(ownUID: 0, overflowUID: 65534)
        #expect(gate.judge(uid: 0) == .own && gate.judge(uid: 1000) == .foreign)
    }

    @Test(arguments: [0, 1, 1000, 65533, 65535, UInt32.max - 1, UInt32.max])
    func `a gate that works has no fault`(_ uid: UInt32) {
        #expect(PeerGate(ownUID: uid, overflowUID: 65534).fault(peerUID: uid) == nil)
    }

    @Test func `a gate that cannot work says so`() {
        let gate = PeerGate(ownUID: 1000, overflowUID: 65534)
        #expect(gate.fault(peerUID: nil)?.isEmpty == false)
        // A kernel that shows every peer as root, or as somebody else, would let in all or none.
        #expect(gate.fault(peerUID: 0)?.contains("uid 0") == true)
        #expect(gate.fault(peerUID: 1001)?.contains("1001") == true)
        #expect(gate.fault(peerUID: 65534)?.contains("65534") == true)
        #expect(PeerGate(ownUID: 65534, overflowUID: 65534).fault(peerUID: 65534)?.contains("another user") == true)
        #expect(PeerGate(ownUID: 500, overflowUID: 500).fault(peerUID: 500)?.contains("another user") == true)
    }
}
