// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import MenshenUpstream
import Testing

struct UnaskedReasonTests {
    @Test func `the reasons of which a provider has seen nothing are those that failures say`() {
        let failures = UpstreamFailure.Reason.allCases.filter(\.isBeforeRequest).map(\.rawValue)
        #expect(AttemptRecord.unasked == Set(failures + [AttemptOutcome.noKey.reason]))
    }
}
