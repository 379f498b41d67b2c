// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import TestSupport
import Testing

@testable import MenshenDaemon

/// By a clock that the test turns; that it is set, by the real one, is in the stage "connecting".
struct ConnectTimeoutTests {
    @Test func `an address that never accepts is a 504 after connect_timeout`() throws {
        let port = try FreePort.silent()
        let url = try #require(BaseURL("http://127.0.0.1:\(port.number)"))
        let scene = try WorkerScene {
            $0.providers = [Provider(name: "openai", kind: .openai, baseURL: url, key: .inline(Secret("key")))]
            $0.upstream.connectTimeout = .seconds(20)
        }
        let caller = try scene.ask("GET", "/v1/x")
        try scene.pass(19.9)
        #expect(caller.hearsNothing)
        try scene.pass(0.2)
        let answer = try scene.hear(caller, until: "upstream.connect_timeout")
        #expect(answer.hasPrefix("HTTP/1.1 504 ") && answer.contains("upstream_timeout"))
        #expect(try scene.records().first?.attempts == ["openai - connect_timeout"])
    }
}
