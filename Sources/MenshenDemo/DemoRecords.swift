// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenStore
internal import Systemd

/// One row of the audit database, as the demo shows it.
struct DemoRow: Equatable {
    let id: RequestID
    let caller: String?
    let method: String?
    let path: String?
    let provider: String?
    let model: String?
    let isStream: Bool?
    let status: Int?
    let endState: String
    let firstByteMicroseconds: Int64?
    let totalMicroseconds: Int64?

    /// Every row, oldest first; nil while there is no readable database.
    static func read(_ path: String) -> [DemoRow]? {
        guard let requests = try? RecordReader(path).requests(.oldestFirst) else { return nil }
        return requests.map { row in
            DemoRow(
                id: row.id, caller: row.caller.executable, method: row.asked.method, path: row.asked.path,
                provider: row.answered.provider, model: row.asked.model, isStream: row.asked.isStream,
                status: row.answered.status, endState: row.answered.endState,
                firstByteMicroseconds: row.answered.firstByteMicroseconds,
                totalMicroseconds: row.answered.totalMicroseconds)
        }
    }

    static let titles = [
        "id", "caller", "method", "path", "provider", "model", "stream", "status", "end", "first byte", "total",
    ]

    var cells: [String] {
        [
            id.description, caller?.split(separator: "/").last.map(String.init) ?? "-", method ?? "-", path ?? "-",
            provider ?? "-", model ?? "-", isStream.map { $0 ? "yes" : "no" } ?? "-", status.map { "\($0)" } ?? "-",
            endState,
            firstByteMicroseconds.map(Self.milliseconds) ?? "-", totalMicroseconds.map(Self.milliseconds) ?? "-",
        ]
    }

    /// Two places below 10 ms, where a quick provider's first byte is, one above.
    static func milliseconds(_ microseconds: Int64) -> String {
        let tenths = "\(microseconds / 1000).\(microseconds / 100 % 10)"
        return tenths + (microseconds < 10_000 ? "\(microseconds / 10 % 10) ms" : " ms")
    }
}

/// What became of the journal entries of the demo's requests.
enum DemoJournal {
    case absent
    /// journald took them, but this user may not read them.
    case unreadable
    /// So many of the requests were read back.
    case found(Int)

    /// journald writes in its own time, so a missing entry is waited for.
    static func look(for ids: [RequestID]) -> DemoJournal {
        guard ServiceManager.isSystemd else { return .absent }
        do {
            let reader = try JournalReader(.system)
            for id in ids { try reader.match("MENSHEN_REQUEST_ID", id.description) }
            var count = 0
            for _ in 0..<8 {
                while try reader.next() != nil { count += 1 }
                if count >= ids.count { return .found(count) }
                reader.wait(microseconds: 250_000)
            }
        } catch {}
        return .unreadable
    }
}
