// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import SQLite
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
    let status: Int64?
    let endState: String
    let firstByteMicroseconds: Int64?
    let totalMicroseconds: Int64?

    /// Every row, oldest first; nil while there is no readable database.
    static func read(_ path: String) -> [DemoRow]? {
        guard let database = try? SQLite.Connection(path: path, .readOnly, busyMilliseconds: 100),
            let statement = try? database.prepare(
                """
                SELECT id, caller_exe, method, path, provider, model, stream, status, end_state, ttfb_us, total_us
                FROM requests ORDER BY id
                """, reused: false)
        else { return nil }
        var rows: [DemoRow] = []
        while (try? statement.step()) == true {
            rows.append(
                DemoRow(
                    id: RequestID(rawValue: statement.integer(0) ?? 0), caller: statement.text(1),
                    method: statement.text(2),
                    path: statement.text(3), provider: statement.text(4), model: statement.text(5),
                    isStream: statement.integer(6).map { $0 != 0 }, status: statement.integer(7),
                    endState: statement.text(8) ?? "", firstByteMicroseconds: statement.integer(9),
                    totalMicroseconds: statement.integer(10)))
        }
        return rows
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
