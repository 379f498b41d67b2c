// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import Linux
import Synchronization
import TestSupport
import Testing

/// Every fault in every form before one, two and three providers. What is expected follows from the rules in
/// FaultOutcome.swift; what is seen becomes contrib/manual/faults.md, which MENSHEN_ACCEPT=1 writes anew.
@Suite struct FaultMatrixTests {
    /// Milliseconds of the limits that a cell waits for.
    private static let limits = ["first byte": 300, "gap": 500]
    /// What a cell may take beyond them, on a machine that is busy with other tests.
    private static let slack = 5000

    private static let tables = """
        [upstream]
        connect_timeout = "500ms"
        first_byte_timeout = "300ms"
        gap_timeout = "500ms"
        """

    private final class Results: Sendable {
        struct State {
            var next = 0
            var seen: [Int: FaultOutcome] = [:]
            var milliseconds: [Int: Int] = [:]
            var failures: [String] = []
        }

        let state = Mutex(State())
    }

    @Test func `every fault has the outcome that the rules say, and the manual shows it`() throws {
        let cells = FaultCell.all
        let refusing = try FreePort.refusing()
        let setting = Stage.Setting.with {
            $0.providers = cells.flatMap { $0.providers(refusing: refusing.number) }
            $0.tables = Self.tables
        }
        try Stage.run(setting) { call in
            let parts = call.provider.split(separator: "-")
            guard let cell = cells.first(where: { $0.name == parts.dropLast().joined(separator: "-") }),
                let place = Int(parts.last ?? "")
            else { throw TestFailure("nobody is called \(call.provider)") }
            try cell.play(place, call)
        } _: { stage throws in
            let results = try play(cells, stage.daemon.socketPath)
            let rows = Dictionary(grouping: try stage.records()) { $0.model ?? "" }
            var seen: [FaultOutcome] = []
            for (index, cell) in cells.enumerated() {
                guard let outcome = results.seen[index] else { continue }
                let own = rows[cell.name] ?? []
                #expect(own.count == 1, "\(cell.name)")
                guard let row = own.first else { continue }
                var whole = try cell.add(row, to: outcome)
                let expected = cell.expected
                whole.waits = expected.waits
                #expect(whole == expected, "\(cell.name)")
                let limit = expected.waits.reduce(0) { $0 + (Self.limits[$1] ?? 0) }
                let time = results.milliseconds[index] ?? 0
                // The reactor's clock may be a turn behind ours.
                #expect(limit - 20 <= time && time <= limit + Self.slack, "\(cell.name) took \(time) ms, not \(limit)")
                let requests = stage.upstream.requests.filter { $0.provider.hasPrefix(cell.name + "-") }
                let reached = expected.attempts.filter { !$0.hasSuffix(" connect") }.count
                #expect(
                    requests.count == reached && requests.allSatisfy { $0.text == cell.requestBody }, "\(cell.name)")
                seen.append(whole)
            }
            #expect(results.failures.isEmpty, "\(results.failures)")
            if seen.count == cells.count { try compare(Self.document(cells, seen)) }
        }
    }

    /// The cells that wait longest come first.
    private func play(_ cells: [FaultCell], _ socketPath: String) throws -> Results.State {
        let results = Results()
        let order = cells.indices.sorted {
            (cells[$0].expected.waits.count, $1) > (cells[$1].expected.waits.count, $0)
        }
        let threads = try (0..<12).map { number in
            try NamedThread("caller-\(number)") {
                while true {
                    let turn = results.state.withLock { state in
                        state.next += 1
                        return state.next - 1
                    }
                    if turn >= order.count { return }
                    let index = order[turn]
                    let start = Clock.monotonic()
                    do {
                        let outcome = try cells[index].ask(socketPath)
                        let milliseconds = Int((Clock.monotonic() - start) / 1000)
                        results.state.withLock { state in
                            state.seen[index] = outcome
                            state.milliseconds[index] = milliseconds
                        }
                    } catch {
                        results.state.withLock { $0.failures.append("\(cells[index].name): \(error)") }
                    }
                }
            }
        }
        for thread in threads { thread.join() }
        return results.state.withLock { $0 }
    }

    // MARK: The document

    private static let head = """
        # What becomes of each fault

        Written by a test from what it saw of a running menshen (`FaultMatrixTests`; [testing](testing.md)); the rules are in
        [routing](routing.md). Each provider but the last of several has the fault; a single one has it too. Providers are numbered
        in their order. The request is one of the Responses API, plain or streamed; streams begin with `response.created`, then
        bring content. An error event in a plain answer is a body with status 200 that says it failed.

        - *Status*, *body*: what the caller gets; a number means: every byte of that provider's body as far as it came, and for errors
          its headers, `menshen` an answer of menshen's own.
        - *End*: how the transfer ends for the caller. *broken* is never to be taken for a whole answer; where the API has an event for
          that, it comes before the break.
        - *Attempts*: provider, status and reason, as in the table `attempts`.
        - *Record*: `end_state` and `problem` of the request; *of*: its provider.
        - *Waits*: the time limits that run out, `upstream.first_byte_timeout` (after connecting) or `upstream.gap_timeout`. Nothing
          else waits.

        """

    private static func document(_ cells: [FaultCell], _ seen: [FaultOutcome]) -> String {
        var text = head
        for count in [1, 2, 3] {
            let title = count == 1 ? "One provider" : count == 2 ? "Two providers" : "Three providers"
            text += "\n## \(title)\n\n"
            text += "| fault | form | status | body | end | attempts | record | of | waits |\n"
            text += "|---|---|---|---|---|---|---|---|---|\n"
            for (cell, outcome) in zip(cells, seen) where cell.count == count {
                text += "| \(cell.fault.rawValue) | \(cell.isStream ? "stream" : "plain") | \(outcome.row)\n"
            }
        }
        return text
    }

    private func compare(_ document: String) throws {
        let root = #filePath.split(separator: "/").dropLast(4).map { "/" + $0 }.joined()
        let path = root + "/contrib/manual/faults.md"
        if getenv("MENSHEN_ACCEPT") != nil {
            guard let file = fopen(path, "we") else { throw TestFailure("\(path): errno \(errno)") }
            defer { fclose(file) }
            fputs(document, file)
            return
        }
        let isSame = TemporaryDirectory.read(path) == document
        #expect(
            isSame,
            "contrib/manual/faults.md is not what was seen; run this test with MENSHEN_ACCEPT=1 and look at the change")
    }
}
