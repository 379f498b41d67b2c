// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

@testable import MenshenDaemon

struct LedgerTests {
    private let intent = AuditIntent(
        id: RequestID(microseconds: 1),
        caller: CallerRecord(uid: 1, pid: nil, executable: nil, unit: nil, address: "unix"), tokenName: nil,
        method: "GET", path: "/", dialect: .openai, operation: .chat, provider: nil, model: nil, isStream: nil)

    @Test func `a request settles once`() {
        var ledger = Ledger()
        let isFirst = ledger.settle()
        let isSecond = ledger.settle()
        #expect(isFirst && !isSecond)
        // Without an intent there is nothing that another settlement would replace.
        ledger.reopen()
        let isThird = ledger.settle()
        #expect(!isThird)
    }

    @Test func `one that nobody can record replaces its settlement`() {
        var ledger = Ledger()
        ledger.record(intent, isSafe: false)
        let isFirst = ledger.settle()
        ledger.reopen()
        let isSecond = ledger.settle()
        let isThird = ledger.settle()
        #expect(isFirst && isSecond && !isThird)
    }

    @Test func `the answer is held from the intent to its receipt, which comes once`() {
        var ledger = Ledger()
        let isEarly = ledger.receive()
        #expect(!isEarly && !ledger.isAwaited)
        ledger.record(intent, isSafe: false)
        #expect(ledger.isAwaited)
        let hasCome = ledger.receive()
        let comesAgain = ledger.receive()
        #expect(hasCome && !ledger.isAwaited && !comesAgain)
    }

    @Test func `an intent in the log is safe at once`() {
        var ledger = Ledger()
        ledger.record(intent, isSafe: true)
        let hasCome = ledger.receive()
        #expect(!ledger.isAwaited && !hasCome)
    }
}
