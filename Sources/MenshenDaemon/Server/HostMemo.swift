// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import MenshenCore

/// The Host that a connection's last request had, if it was ours. What Host may say follows from the configuration alone, so
/// it is not looked up again as long as that stays.
struct HostMemo {
    private var known: (snapshot: Snapshot, host: ArraySlice<UInt8>)?

    /// The gate's problem with a Host that is not ours.
    mutating func check(_ head: RequestHead, _ gate: WebGate, _ snapshot: Snapshot) -> Problem? {
        if let known, let host = head.host, known.snapshot === snapshot, head.bytes[host] == known.host { return nil }
        if let problem = gate.checkHost(head) { return problem }
        known = head.host.map { (snapshot, ArraySlice(Array(head.bytes[$0]))) }
        return nil
    }
}
