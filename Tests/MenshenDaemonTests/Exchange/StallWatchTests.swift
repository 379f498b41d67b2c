// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Testing

@testable import MenshenDaemon

struct StallWatchTests {
    @Test func `those who wait for a place put up with half of their time, and ten seconds at most`() {
        for (timeout, limit, look) in [(60, 10, 2), (8, 4, 2), (2, 1, 0)] as [(UInt64, UInt64, UInt64)] {
            var watch = StallWatch()
            watch.begin(queueTimeout: timeout * ExchangeParts.second, at: 0)
            #expect(watch.limit == limit * ExchangeParts.second)
            #expect(watch.look / ExchangeParts.second == look)
            #expect(!watch.isStalled(at: watch.limit - 1) && watch.isStalled(at: watch.limit))
            #expect(!watch.isSlow(at: watch.look - 1) && watch.isSlow(at: watch.look))
        }
    }

    @Test func `a caller that moves is waited for anew`() {
        var watch = StallWatch()
        watch.begin(queueTimeout: 60 * ExchangeParts.second, at: 0)
        watch.moved(at: 9 * ExchangeParts.second)
        #expect(!watch.isStalled(at: 18 * ExchangeParts.second) && watch.isStalled(at: 19 * ExchangeParts.second))
    }
}
