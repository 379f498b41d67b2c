// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import MenshenCore

/// What a connection remembers of its last request: a caller sends the same Host and token in each, and judging them
/// anew would cost a SHA-256 and a look-up a request.
struct Familiarity {
    private var ownHost: (snapshot: Snapshot, host: ArraySlice<UInt8>)?
    private var judged: (snapshot: Snapshot, shown: ArraySlice<UInt8>, verdict: TokenGate.Verdict)?

    /// Whether the request's Host is ours; the gate's problem if not.
    mutating func checkHost(_ head: RequestHead, _ gate: WebGate, _ snapshot: Snapshot) -> Problem? {
        if let ownHost, let host = head.host, ownHost.snapshot === snapshot, head.bytes[host] == ownHost.host {
            return nil
        }
        if let problem = gate.checkHost(head) { return problem }
        ownHost = head.host.map { (snapshot, ArraySlice(Array(head.bytes[$0]))) }
        return nil
    }

    /// The token gate's verdict. Only a valid one is remembered, and only while the configuration stays.
    mutating func judgeToken(_ head: RequestHead, _ queryKey: String?, _ snapshot: Snapshot) -> TokenGate.Verdict {
        let shown = queryKey == nil ? TokenGate.onlyCredential(head) : nil
        if let judged, let shown, judged.snapshot === snapshot, judged.shown == shown { return judged.verdict }
        let verdict = snapshot.tokens.judge(head, queryKey: queryKey)
        if let shown, case .valid = verdict { judged = (snapshot, ArraySlice(Array(shown)), verdict) }
        return verdict
    }
}
