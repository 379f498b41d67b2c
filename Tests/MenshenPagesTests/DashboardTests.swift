// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import MenshenPages
import Testing

struct DashboardTests {
    @Test func `an overview has an empty path`() {
        #expect(PageRequest(path: [], parameters: [], viewer: .reader, now: 0, zone: .utc).path.isEmpty)
    }
}
