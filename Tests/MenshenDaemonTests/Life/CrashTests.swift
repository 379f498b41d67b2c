// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
import TestSupport
import Testing

struct CrashTests {
    /// Sends requests until the daemon is gone; the ids of those whose answer had begun.
    private static func load(_ path: String) -> [String] {
        var ids: [String] = []
        do {
            let caller = try RawClient(unix: path)
            while true {
                try caller.request("GET", "/v1/models")
                let head = try caller.head()
                ids.append(head["x-menshen-request-id"] ?? "")
                _ = try caller.wire.read(exactly: 2)
            }
        } catch {
            return ids
        }
    }

    @Test func `kill -9 under load loses no record of an answer that had begun`() throws {
        let directory = try TemporaryDirectory()
        var begun: Set<String> = []
        for _ in 0..<5 {
            try Stage.run(in: directory) {
                try $0.reply()
            } _: { stage throws in
                let results = Collected()
                let path = stage.daemon.socketPath
                let threads = try (0..<4).map { _ in
                    try NamedThread("load") { results.add(Self.load(path)) }
                }
                for _ in 0..<50 { begun.insert(try stage.ask()["x-menshen-request-id"] ?? "") }
                try stage.daemon.kill()
                for thread in threads { thread.join() }
                begun.formUnion(results.all)
                #expect(try stage.daemon.integrity() == ["ok"])
            }
        }
        try Stage.run(in: directory) {
            try $0.reply()
        } _: { stage throws in
            let rows = try stage.records()
            #expect(begun.count > 250)
            #expect(begun.isSubset(of: Set(rows.map(\.textID))))
            #expect(rows.allSatisfy { ["complete", "lost"].contains($0.endState) })
        }
    }
}
