// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import MenshenCore
import MenshenStore
import SQLite
import Testing

/// Intent logs of other versions than the one that is written.
@Suite struct IntentCodingTests {
    private let scratch = Scratch()
    private let events = Events()
    private var path: String { scratch("menshen.db") }

    /// Made up: 64 bytes a slot and no counters; an id and a path.
    private struct OtherCoding: IntentCoding {
        var magic = Array("mnshint0".utf8)
        let maximumBytes = 1 << 16

        func leftovers(_ content: UnsafeRawBufferPointer) -> [AuditIntent] {
            stride(from: 64, to: content.count - 63, by: 64).map { place in
                let path = content[place + 8..<place + 64].prefix { $0 != 0 }
                return AuditIntent(
                    id: RequestID(rawValue: content.loadUnaligned(fromByteOffset: place, as: Int64.self)),
                    caller: caller,
                    tokenName: nil, method: "POST", path: String(decoding: path, as: UTF8.self), dialect: .openai,
                    operation: .chat, provider: nil, model: nil, isStream: nil)
            }
        }

        /// A log with these requests, as a killed process has left it.
        func log(_ ids: [RequestID]) -> [UInt8] {
            var content = magic + [UInt8](repeating: 0, count: 64 - magic.count)
            for id in ids {
                withUnsafeBytes(of: id.rawValue) { content += $0 }
                content += Array("/v1/older".utf8) + [UInt8](repeating: 0, count: 56 - 9)
            }
            return content
        }
    }

    private func write(_ bytes: [UInt8], _ path: String) {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        #expect(Glibc.write(file, bytes, bytes.count) == bytes.count)
        close(file)
    }

    private func read(_ path: String) -> [UInt8] {
        let file = open(path, O_RDONLY)
        defer { close(file) }
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        return Array(buffer[..<max(0, Glibc.read(file, &buffer, buffer.count))])
    }

    /// A start, with its end.
    private func start(_ codings: [any IntentCoding]) {
        var settings = StoreSettings(databasePath: path, journal: nil)
        settings.intentCodings = codings
        let events = events
        StoreWorker(settings) { events.log($0) }.close()
    }

    private func rows() throws -> String? {
        try Connection.reading(path).text(
            "SELECT group_concat(end_state || ' ' || path) FROM (SELECT * FROM requests ORDER BY id)")
    }

    private var setAside: [String] {
        events.all.compactMap { if case .intentLogSetAside(_, let aside) = $0 { aside } else { nil } }
    }

    @Test func `a log of an older version is read at the start, and the log goes on in the new version`() throws {
        write(OtherCoding().log([id(2), id(1)]), path + "-intents")
        let store = try AuditStore(
            settings: {
                var settings = StoreSettings(databasePath: path, journal: nil)
                settings.intentCodings = IntentCodings.known + [OtherCoding()]
                return settings
            }()
        ) { [events] in events.log($0) }
        let answered = Signal()
        store.recent(limit: 1) { _ in answered.post() }
        answered.wait()
        #expect(read(path + "-intents").starts(with: "mnshint2".utf8))
        store.close()
        #expect(try rows() == "lost /v1/older,lost /v1/older")
        #expect(events.all.contains(.lostSettled(path: path, count: 2)) && setAside.isEmpty)
    }

    @Test func `a log of an unknown version is set aside unread, and the version that knows it reads it later`() throws
    {
        let newer = OtherCoding(magic: Array("mnshint7".utf8))
        let content = newer.log([id(3)])
        for count in 1...2 {
            write(content, path + "-intents")
            start(IntentCodings.known)
            let name = path + "-intents.unread" + (count == 1 ? "" : "-2")
            #expect(setAside.count == count && setAside.last == name)
            #expect(read(name) == content)
            var status = stat()
            #expect(lstat(name, &status) == 0 && status.st_mode & 0o777 == 0o600, "as private as the log")
            #expect(
                access(path + "-intents", F_OK) != 0, "the log of this version was begun, and ended with the process")
        }
        #expect(try rows() == nil)
        rename(path + "-intents.unread", path + "-intents")
        start(IntentCodings.known + [newer])
        #expect(try rows() == "lost /v1/older")
    }

    @Test func `a log that can't be set aside stays as it is, and answers wait for the database`() throws {
        let content = OtherCoding().log([id(1)])
        write(content, path + "-intents")
        for number in 1...1000 {
            symlink("/nowhere", path + "-intents.unread" + (number == 1 ? "" : "-\(number)"))
        }
        start(IntentCodings.known)
        #expect(read(path + "-intents") == content)
        let told = events.all.contains {
            if case .intentLogUnusable(_, let fault) = $0 { fault.reason.contains("version") } else { false }
        }
        #expect(told && setAside.isEmpty)
    }

    @Test(arguments: [[], Array("mnsh".utf8), Array("mnshint1".utf8), Array("mnshint2".utf8)])
    func `a log that was hardly begun holds nothing, and only a stranger's is kept`(_ content: [UInt8]) {
        write(content, path + "-intents")
        start(IntentCodings.known)
        #expect(setAside.count == (content.count == 4 ? 1 : 0))
    }

    /// A slot as a menshen of version 1 has left it, who was killed.
    private static let slot1: [UInt8] = [
        1, 0, 0, 0, 0, 0, 0, 0, 0, 140, 66, 206, 172, 50, 133, 25, 0, 0, 0, 0, 0, 0, 0, 0, 68, 33, 0, 0, 0, 0,
        0, 0, 1, 4, 0, 117, 110, 105, 120, 255, 255, 255, 255, 255, 255, 4, 0, 80, 79, 83, 84, 20, 0, 47, 118,
        49, 47, 99, 104, 97, 116, 47, 99, 111, 109, 112, 108, 101, 116, 105, 111, 110, 115, 6, 0, 111, 112, 101,
        110, 97, 105, 4, 0, 99, 104, 97, 116, 4, 0, 115, 108, 111, 119, 6, 0, 103, 112, 116, 45, 52, 111, 1, 0,
        0, 0, 0, 0, 0, 0,
    ]

    @Test func `what a menshen of version 1 has left is read as it meant it`() throws {
        var content = Array("mnshint1".utf8) + [UInt8](repeating: 0, count: 4096 - 8)
        // The first slot was never used, the second lies behind it.
        content += [UInt8](repeating: 0, count: 1024) + Self.slot1
        write(content, path + "-intents")
        start(IntentCodings.known)
        let row = try Connection.reading(path).text(
            """
            SELECT id || ' ' || end_state || ' ' || caller_uid || ' ' || caller_pid || ' ' || peer_address || ' ' ||
            method || ' ' || path || ' ' || dialect || ' ' || operation || ' ' || provider || ' ' || model || ' ' || stream ||
            coalesce(client, '') || coalesce(rule, '') || coalesce(caller_job, '') || coalesce(caller_exe, '')
            FROM requests
            """)
        #expect(row == "1838931740626947072 lost 0 8516 unix POST /v1/chat/completions openai chat slow gpt-4o 1")
        // Its counter says that the intent has a row.
        content[64] = 1
        write(content, path + "-intents")
        start(IntentCodings.known)
        #expect(try rows()?.split(separator: ",").count == 1)
        #expect(setAside.isEmpty)
    }

    @Test func `what is known at the beginning survives a kill, column by column`() throws {
        let store = try AuditStore(
            settings: {
                var settings = StoreSettings(databasePath: path, journal: nil)
                settings.gatherTime = 3_600_000_000
                return settings
            }()
        ) { [events] in events.log($0) }
        let answered = Signal()
        _ = store.submit(.settled(settlement(intent(id(0)))), to: nil)
        for _ in 0..<2 {
            store.recent(limit: 1) { _ in answered.post() }
            answered.wait()
        }
        let writer = try #require(store.makeIntentWriter())
        let asked = AuditIntent(
            id: id(1),
            caller: CallerRecord(
                uid: 1000, pid: 42, executable: "/usr/bin/node", unit: "x.scope", job: "123.batch", project: "/code/p",
                address: "unix"), tokenName: "ci", method: "POST", path: "/v1/responses", dialect: .openai,
            operation: .responses, provider: "openai", model: "gpt-5", isStream: false,
            client: ClientFacts(client: "codex", session: "s-1", agent: "a-1"), rule: "unix")
        #expect(writer.note(asked) && store.submit(.noted(asked, writer.lane), to: nil))
        for suffix in ["", "-wal", "-intents"] { try copyFile(path + suffix, scratch("killed.db") + suffix) }
        store.close()
        var settings = StoreSettings(databasePath: scratch("killed.db"), journal: nil)
        settings.intentCodings = IntentCodings.known
        StoreWorker(settings) { [events] in events.log($0) }.close()
        let names = RecordColumns.columns.filter(\.isKnownAtBeginning).map(\.name)
        let concatenated = names.map { "quote(\($0))" }.joined(separator: " || ' ' || ")
        for file in [path, scratch("killed.db")] {
            let row = try Connection.reading(file).text(
                "SELECT \(concatenated) FROM requests WHERE id = \(id(1).rawValue)")
            #expect(
                row == """
                    \(id(1).rawValue) 1000 42 '/usr/bin/node' 'x.scope' '123.batch' '/code/p' 'ci' 'unix' 'unix' 'POST' \
                    '/v1/responses' 'openai' 'openai' 'gpt-5' 0 'responses' 'codex' 's-1' 'a-1'
                    """, "\(file)")
        }
    }
}
