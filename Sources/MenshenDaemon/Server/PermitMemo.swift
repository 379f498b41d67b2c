// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// What policy has said of a connection's caller with the token of its last request. Nothing else that policy asks for changes
/// within a connection, so it is not asked again as long as the configuration stays.
struct PermitMemo {
    private var known: (snapshot: Snapshot, token: AccessToken?, permit: Permit)?

    mutating func permit(for principal: Principal, _ snapshot: Snapshot) -> Permit {
        if let known, known.snapshot === snapshot, known.token === principal.token { return known.permit }
        let permit = snapshot.policy.permit(for: principal)
        if !permit.isProvisional { known = (snapshot, principal.token, permit) }
        return permit
    }
}
