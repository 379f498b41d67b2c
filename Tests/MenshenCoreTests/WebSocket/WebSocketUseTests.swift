// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

struct WebSocketUseTests {
    /// As servers were seen to answer the handshake at a path that takes POST alone.
    @Test(arguments: [404, 405, 426, 501, 200, 204])
    func `a server that knows no WebSocket there never will`(status: Int) {
        #expect(WebSocketLack(status: status, isEmpty: false) == .lasting)
        #expect(WebSocketLack(status: status, isEmpty: true) == .lasting)
    }

    @Test func `a status that may mean something else is believed for one request`() {
        #expect(WebSocketLack(status: 400, isEmpty: false) == .perhaps)
        // uvicorn closes before it accepts.
        #expect(WebSocketLack(status: 403, isEmpty: true) == .perhaps)
    }

    @Test(arguments: [101, 301, 401, 402, 403, 407, 408, 409, 413, 429, 500, 502, 503, 504, 529])
    func `a handshake that is granted, or refused for key or load, shows no lack`(status: Int) {
        #expect(WebSocketLack(status: status, isEmpty: false) == nil)
    }

    @Test func `what is spoken over WebSockets alone has no plain form, nor has what is unknown`() {
        #expect(Operation.allCases.filter { !$0.hasPlainForm } == [.realtime, .live, .other])
    }
}
