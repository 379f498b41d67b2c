// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Testing

@testable import menshen

struct TopLookTests {
    @Test func `a look is what the page says, and nothing for what it does not`() {
        let look = TopLook(Array(TopPage.busy.utf8))
        #expect((look.version, look.host, look.pid, look.state) == ("0.9.0", "build-7", 4711, "serving"))
        #expect((look.ended, look.failed, look.open, look.queued) == (4833, 82, 4, 1))
        #expect(look.requests.map(\.id) == ["1k188fc9kfg10", "1k188fc9kfg11", "1k188fc9kfg12", "1k188fc9kfg13"])
        #expect(look.requests.map(\.caller) == ["carol", "alice", "ci", "uid:4000000000"])
        #expect(look.requests.map(\.outputTokens) == [1204, 612, nil, nil])
        #expect(look.requests.map(\.firstByte) == [1_240_000, 1_150_000, nil, nil])
        #expect(look.providers.map(\.places) == [16, 32, nil, 8, nil])
        #expect(look.providers.map(\.limitsUsed) == ["5h 37%, 7d 61%", "tokens 84%", "", "requests 4.0%", ""])
        #expect(look.providers.map(\.failure) == [nil, "limited", nil, "server_error", nil])
        #expect(look.pots.map(\.share) == [673, 920])
        let empty = TopLook(Array("{}".utf8))
        #expect(empty.requests.isEmpty && empty.providers.isEmpty && empty.pots.isEmpty && empty.state == "")
        // Members of a request before it has begun are nobody's.
        #expect(TopLook(Array(#"{"requests":[{"state":"x","id":"1"}]}"#.utf8)).requests.map(\.state) == [""])
    }

    @Test func `rates are those between looks, of the last minute at most`() {
        var history = TopHistory()
        var look = TopLook(Array(TopPage.busy.utf8))
        func add(_ seconds: UInt64, ended: Int64, failed: Int64, tokens: Int64) {
            (look.ended, look.failed) = (ended, failed)
            look.requests[0].outputTokens = tokens
            history.add(look, now: 5_000_000 + seconds * 1_000_000)
        }
        add(0, ended: 100, failed: 10, tokens: 1204)
        #expect(history.recent == nil)
        // Since its first byte: 1204 in 21.16 s.
        #expect(history.tokenTenths(look.requests[0]) == 568)
        add(2, ended: 103, failed: 11, tokens: 1304)
        #expect(history.recent == .init(requests: 3, failed: 1, tenths: 15, span: 2))
        #expect(history.tokenTenths(look.requests[0]) == 500)
        #expect(history.tokenTenths(look.requests[2]) == nil)
        add(62, ended: 223, failed: 11, tokens: 1304)
        #expect(history.recent == .init(requests: 120, failed: 0, tenths: 20, span: 60))
        #expect(history.tokenTenths(look.requests[0]) == 0)
        // Another process counts anew.
        look.pid += 1
        add(63, ended: 1, failed: 0, tokens: 1)
        #expect(history.recent == nil)
    }
}
