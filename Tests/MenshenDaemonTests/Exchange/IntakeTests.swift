// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import MenshenCore
import Testing

@testable import MenshenDaemon

struct IntakeTests {
    private func intake(_ body: [UInt8], _ head: RequestHead, isComplete: Bool = true) throws -> (Intake, Bool) {
        var intake = Intake()
        var budget = BodyBudget()
        var scan = RequestScan()
        let target = try #require(RequestTarget(of: head, providerNames: []))
        intake.begin(head, target, RequestFacts(), Configuration().logging)
        try body.withUnsafeBytes { try intake.keep($0, in: &budget, of: "c") }
        if isComplete { intake.complete() }
        let isRead = try intake.understand(head, .chat, replacesModels: true, whole: &scan)
        return (intake, isRead)
    }

    @Test func `JSON under any label tells its model`() throws {
        for label in ["application/json", "application/x-www-form-urlencoded", "text/plain"] {
            let body = Array(#"{"model":"m-1","stream":true}"#.utf8)
            let (intake, isRead) = try intake(body, ExchangeParts.requestHead("POST", "Content-Type: \(label)"))
            #expect(isRead && intake.facts.model == "m-1" && intake.facts.isStream == true && intake.modelFault == nil)
            #expect(intake.modelPlaces != nil)
        }
    }

    @Test(
        arguments: [
            ([0xFF, 0xFE, 0x7B, 0], ModelFault.inUTF16), ([0x7B, 0, 0x7D, 0], .inUTF16),
            (Array(#"{"model":1}"#.utf8), .notText), (Array(#"{"model":"a","model":"b"}"#.utf8), .several),
            (Array(#"{"model":"a""#.utf8), .notJSON),
        ] as [([UInt8], ModelFault)])
    func `what cannot be read is a fault, not a request without a model`(body: [UInt8], fault: ModelFault) throws {
        let (intake, _) = try intake(body, ExchangeParts.requestHead("POST", "Content-Type: application/json"))
        #expect(intake.modelFault == fault)
    }

    @Test func `a body is streamed above what the providers want whole`() throws {
        let head = try ExchangeParts.requestHead("POST", "Content-Length: \(3 << 20)")
        let beginning = [UInt8](repeating: 0x20, count: Intake.factsPrefix)
        var (intake, _) = try intake(beginning, head, isComplete: false)
        let one = try ExchangeParts.runtime(["a"])
        intake.limitWhole([0], one.snapshot)
        #expect(intake.isStreamed(head))
        let two = try ExchangeParts.runtime(["a", "b"]) { $0.failover.maxBodyBytes = 8 << 20 }
        intake.limitWhole([0, 1], two.snapshot)
        #expect(!intake.isStreamed(head))
    }

    @Test func `a caller's bodies have their share of memory, which comes back`() throws {
        var budget = BodyBudget()
        budget.limit = 100 << 10
        var intake = Intake()
        let piece = [UInt8](repeating: 0, count: 40 << 10)
        try piece.withUnsafeBytes { try intake.keep($0, in: &budget, of: "c") }
        #expect(throws: Problem.self) { try piece.withUnsafeBytes { try intake.keep($0, in: &budget, of: "c") } }
        intake.giveBack(to: &budget, of: "c")
        let wasGiven = budget.take(50 << 10, for: "c")
        #expect(wasGiven)
    }

    @Test func `another model behind a streamed body's beginning undoes the choice`() throws {
        let head = try ExchangeParts.requestHead("POST", "Content-Length: \(3 << 20)")
        var beginning = Array(#"{"model":"m-1","prompt":""#.utf8)
        beginning += [UInt8](repeating: 0x61, count: Intake.factsPrefix)
        var (intake, _) = try intake(beginning, head, isComplete: false)
        #expect(intake.facts.model == "m-1")
        let runtime = try ExchangeParts.runtime(["a"]) { $0.providers[0].model = "fixed" }
        let target = try #require(
            RequestTarget(path: "/v1/chat/completions", query: nil, providerNames: ["a"]))
        try intake.refuseGuess(head, ResolvedTarget(target, .openai), [0], runtime.snapshot, nil)
        try Array(#"","x":"#.utf8).withUnsafeBytes { try intake.pass($0) }
        #expect(throws: Problem.self) {
            try Array(#"1,"model":"m-2"}"#.utf8).withUnsafeBytes { try intake.pass($0) }
        }
    }
}
