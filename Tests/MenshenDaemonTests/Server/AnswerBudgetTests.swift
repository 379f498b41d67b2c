// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import TestSupport
import Testing

@testable import MenshenDaemon

/// The memory of answers that nobody reads.
struct AnswerBudgetTests {
    private static let mebibyte = 1 << 20

    @Test func `a caller that leaves half of all unread has the least, and others have the most`() {
        var budget = AnswerBudget(limit: 64 * Self.mebibyte)
        #expect(budget.mark(for: "greedy") == AnswerBudget.most)
        var marks: [Int] = []
        for _ in 0..<32 {
            budget.charge(Self.mebibyte, to: "greedy")
            marks.append(budget.mark(for: "greedy"))
        }
        #expect(marks == marks.sorted(by: >), "the more it leaves, the less it has")
        #expect(marks.last == AnswerBudget.least)
        #expect(budget.mark(for: "modest") == AnswerBudget.most)
    }

    @Test func `many that fill it together have the least each, and one that has nothing unread has it too`() {
        var budget = AnswerBudget(limit: 64 * Self.mebibyte)
        for number in 0..<2_000 { budget.charge(64 << 10, to: "caller \(number)") }
        #expect(budget.total == 2_000 * 64 << 10)
        #expect(budget.mark(for: "caller 7") == AnswerBudget.least)
        #expect(budget.mark(for: "another") == AnswerBudget.least)
    }

    @Test func `while a quarter is not full nobody need be looked at`() {
        var budget = AnswerBudget(limit: 64 * Self.mebibyte)
        budget.charge(16 * Self.mebibyte - 1, to: "a")
        #expect(budget.isAmple)
        #expect(budget.mark(for: "a") == AnswerBudget.most, "and so it comes to the same")
        budget.charge(1, to: "b")
        #expect(!budget.isAmple)
    }

    @Test func `what was read in the end is free again`() {
        var budget = AnswerBudget(limit: 64 * Self.mebibyte)
        budget.charge(40 * Self.mebibyte, to: "a")
        budget.charge(20 * Self.mebibyte, to: "b")
        budget.charge(-39 * Self.mebibyte, to: "a")
        budget.charge(-20 * Self.mebibyte, to: "b")
        #expect(budget.total == Self.mebibyte && budget.isAmple)
        #expect(budget.mark(for: "b") == AnswerBudget.most)
        budget.charge(-Self.mebibyte, to: "a")
        #expect(budget.total == 0)
    }

    @Test func `a read is as large as the room, never tiny, and none is made where there is none`() {
        #expect(AnswerBudget.room(of: 16_384, beside: 0) == 16_384)
        #expect(AnswerBudget.room(of: 16_384, beside: 10_000) == 6_384)
        #expect(AnswerBudget.room(of: 16_384, beside: 16_383) == 4_096)
        #expect(AnswerBudget.room(of: 16_384, beside: 16_384) == 0)
        #expect(AnswerBudget.room(of: 16_384, beside: 200_000) == 0)
    }

    @Test func `output that was sent takes no more memory than what waits behind it`() throws {
        var ends: [Int32] = [0, 0]
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        try #require(socketpair(AF_UNIX, kind, 0, &ends) == 0)
        defer { for end in ends { close(end) } }
        var output = ConnectionOutput()
        var drained = [UInt8](repeating: 0, count: 8 << 10)
        for _ in 0..<200 {
            while output.pending < AnswerBudget.least { output.bytes += drained }
            while case .written = output.write(to: ends[0]) { output.bytes += drained }
            #expect(output.bytes.count - output.pending < max(output.pending, AnswerBudget.least))
            // Some of it is read, less than is there.
            let count = read(ends[1], &drained, drained.count)
            #expect(count == drained.count)
        }
    }

    @Test func `what a caller does not take counts until it is read, or the caller has left`() throws {
        let scene = try WorkerScene()
        let requests = Array(
            String(repeating: "GET /_menshen/health HTTP/1.1\r\nHost: a\r\n\r\n", count: 100).utf8)
        let caller = try scene.call()
        func block() throws {
            for _ in 0..<10_000 where scene.unread == 0 {
                _ = try caller.wire.writeWithoutWaiting(requests)
                try scene.turn()
            }
            #expect(scene.unread > 0)
        }
        try block()
        for _ in 0..<10_000 where scene.unread > 0 {
            _ = try caller.wire.read()
            try scene.turn()
        }
        #expect(scene.unread == 0)
        try block()
        caller.wire.close()
        try scene.pass(0)
        #expect(scene.unread == 0)
    }
}
