// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Crypto
internal import Glibc
internal import HTTP
internal import MenshenCore

/// Spares a connection the hashing of the same token in each request. It remembers which digest belongs to which bytes, and no
/// verdict: whether a token is valid, the table of tokens is asked each time, so one that has expired or was revoked is
/// refused on a kept connection too.
struct CredentialMemo {
    /// The one field that may hold a token, as it came. Only a valid one is remembered: it is short.
    private var shown: ArraySlice<UInt8> = []
    private var digests: [Digest] = []

    mutating func judge(_ head: RequestHead, _ queryKey: String?, _ tokens: TokenGate) -> TokenGate.Verdict {
        guard queryKey == nil, !tokens.isEmpty, let only = TokenGate.onlyCredential(head) else {
            return tokens.judge(head, queryKey: queryKey)
        }
        if !digests.isEmpty, isShown(only) {
            return tokens.valid(digests).map { .valid($0) } ?? tokens.judge(head, queryKey: nil)
        }
        let fresh = TokenGate.digests(head, queryKey: nil)
        guard let token = tokens.valid(fresh) else { return tokens.judge(head, queryKey: nil) }
        (shown, digests) = (ArraySlice(Array(only)), fresh)
        return .valid(token)
    }

    private func isShown(_ only: ArraySlice<UInt8>) -> Bool {
        guard only.count == shown.count else { return false }
        return only.withUnsafeBytes { fresh in
            shown.withUnsafeBytes { known in
                guard let fresh = fresh.baseAddress, let start = known.baseAddress else { return true }
                return memcmp(fresh, start, known.count) == 0
            }
        }
    }
}
