// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

/// The one limit that is libcurl's own, and so by the real clock. All others are tested with a clock that the test turns, see
/// `WorkerScene`.
struct ConnectTimeoutTests {
    @Test func `an address that never accepts is a 504 after connect_timeout`() throws {
        let port = try FreePort.silent()
        try Stage.run(
            .with {
                $0.baseURL = "http://127.0.0.1:\(port.number)"
                $0.tables = "[upstream]\nconnect_timeout = \"300ms\""
            }
        ) { _ in
        } _: { stage throws in
            let answer = try stage.ask()
            #expect((answer.status, answer.problem) == (504, "upstream_timeout"))
            #expect(answer.text.contains("upstream.connect_timeout"))
            #expect(try stage.records().first?.attempts == ["openai - connect_timeout"])
        }
    }
}
