// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Linux
import MenshenCore
import MenshenPages
import MenshenStore
import SQLite
import TestSupport

/// A database with requests of two hours, a running menshen as pages see it, and pages asked for.
final class PageScene {
    static let now: Int64 = 1_795_786_568
    /// Everything that markup, a terminal or an address could take for something else.
    static let hostile = "<img src=x onerror=alert(1)>\"'><script>alert(1)</script>&amp;\u{202e}\u{1b}[31m%2e/?#"

    let directory: TemporaryDirectory
    private let path: String
    var live: LiveView
    var zone = ZoneRules.utc

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.path + "/menshen.db"
        live = LiveView(
            version: "1.0", host: "build-7", startedAt: Self.now - 3600, configurationPath: "/c.toml",
            databasePath: path)
        _ = StoreWorker(StoreSettings(databasePath: path, journal: nil)) { _ in }
    }

    private var opened: Connection?

    private func connection() throws -> Connection {
        if let opened { return opened }
        let connection = try Connection(path: path, .readWrite, busyMilliseconds: 5000)
        try connection.execute("PRAGMA synchronous = OFF")
        opened = connection
        return connection
    }

    func execute(_ sql: String) throws { try connection().execute(sql) }

    /// A row so many seconds ago; the columns by name. Texts are bound, so that they may be anything.
    @discardableResult
    func add(secondsAgo: Int64, _ columns: [String: Any?] = [:], place: Int64 = 0) throws -> RequestID {
        let id = RequestID(rawValue: RequestID(microseconds: (Self.now - secondsAgo) * 1_000_000).rawValue + place)
        var all: [String: Any?] = [
            "id": id.rawValue, "end_state": "complete", "status": 200, "usage_state": "reported", "input_total": 1000,
            "output_total": 100, "cost": 10_000_000_000, "cost_state": "priced", "model": "gpt-6", "provider": "openai",
            "token_name": "ci", "ttfb_us": 400_000, "total_us": 2_000_000, "attempts": 1, "count": 1, "method": "POST",
            "path": "/v1/responses", "operation": "responses", "client": "codex", "session": "s-1",
        ]
        for (name, value) in columns { all[name] = value }
        let names = all.keys.sorted()
        let insert = try connection().prepare(
            "INSERT INTO requests (\(names.joined(separator: ", "))) VALUES (\(names.indices.map { "?\($0 + 1)" }.joined(separator: ", ")))"
        )
        for (index, name) in names.enumerated() {
            switch all[name] ?? nil {
            case let number as Int: try insert.bind(Int32(index + 1), Int64(number))
            case let number as Int64: try insert.bind(Int32(index + 1), number)
            case let text as String: try insert.bind(Int32(index + 1), text)
            default: try insert.bind(Int32(index + 1), nil as Int64?)
            }
        }
        try insert.run()
        return id
    }

    func addAttempt(_ id: RequestID, _ number: Int, provider: String, reason: String, from: Int64, to: Int64) throws {
        let insert = try connection().prepare(
            "INSERT INTO attempts (request_id, n, provider, status, reason, started_us, ended_us) VALUES (?1, ?2, ?3, 200, ?4, ?5, ?6)"
        )
        try insert.bind(1, id.rawValue)
        try insert.bind(2, Int64(number))
        try insert.bind(3, provider)
        try insert.bind(4, reason)
        try insert.bind(5, from)
        try insert.bind(6, to)
        try insert.run()
    }

    /// A page by its address, as a browser would ask for it.
    func page(_ address: String, formToken: String? = nil) throws -> PageAnswer {
        let halves = address.split(separator: "#")[0].split(separator: "?", maxSplits: 1)
        var path = halves[0].split(separator: "/").map { Self.decoded($0) }
        if path.starts(with: ["_menshen", "ui"]) { path.removeFirst(2) }
        let parameters = (halves.count > 1 ? halves[1].split(separator: "&") : []).map { part in
            let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map {
                Self.decoded($0)
            }
            return (name: sides[0], value: sides.count > 1 ? sides[1] : "")
        }
        let request = PageRequest(
            path: path, parameters: parameters, now: Self.now, zone: zone, formToken: formToken)
        let sources = PageSources(
            reports: try RecordReports(self.path), live: live)
        return try Dashboard.answer(request, sources)
    }

    /// Of this machine.
    static func zone(_ name: String) throws -> ZoneRules {
        let bytes = try FileReading.bytes("/usr/share/zoneinfo/\(name)", limit: 1 << 16)
        guard let zone = ZoneRules(bytes, name: name) else { throw TestFailure("\(name) is no time zone") }
        return zone
    }

    func text(_ address: String) throws -> String { String(decoding: try page(address).body, as: UTF8.self) }

    private static func decoded(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension PageScene {
    /// Requests of several kinds, all names hostile if it is said so, and providers, tokens and limits with them.
    static func full(hostile isHostile: Bool = false) throws -> (scene: PageScene, id: RequestID) {
        let scene = try PageScene()
        let name = isHostile ? hostile : "team-a"
        let columns: [String: Any?] = [
            "model": name, "answer_model": name, "provider": name, "token_name": name, "client": name, "session": name,
            "agent": name, "caller_project": name, "caller_job": name, "end_user": name, "caller_exe": name,
            "caller_unit": name, "path": name, "problem": name, "rule": name, "finish_reason": name,
            "service_tier": name,
            "peer_address": name, "usage_raw": name, "cost_reason": name, "operation": name, "dialect": name,
            "method": name,
        ]
        var id = RequestID(rawValue: 0)
        for index in 0..<60 {
            id = try scene.add(secondsAgo: Int64(index * 97 + 5), columns, place: 1)
            try scene.add(secondsAgo: Int64(index * 97 + 20), ["model": "claude-\(index % 7)", "cache_read": 300])
        }
        try scene.addAttempt(id, 1, provider: name, reason: name, from: 500, to: 300_000)
        try scene.addAttempt(id, 2, provider: "openai", reason: "ok", from: 300_500, to: 2_000_000)
        try scene.add(
            secondsAgo: 30,
            columns.merging(["status": 502, "end_state": "upstream_error", "cost": nil, "cost_state": "unpriced"]) {
                $1
            }, place: 2)
        try scene.add(secondsAgo: 8 * 86_400)
        scene.live.providers = [
            LiveView.Provider(
                name: name, kind: name, baseURL: name, keySource: name, weight: 1, health: .paused, state: name,
                lastFailure: name,
                active: 1, places: 4, queued: 0,
                limits: [LiveView.Limit(key: nil, title: name, used: 0.84, resetsAt: now + 90)])
        ]
        scene.live.pots = [
            PotState(
                holder: Holder(.token, name), limit: Limit(.money, 1_750_000_000_000, per: .day),
                spent: 1_610_000_000_000,
                reserved: 20_000_000_000, resetsAt: now + 33_000)
        ]
        var terms = TokenTerms()
        (terms.models, terms.note) = ([name], name)
        scene.live.tokens = [
            GivenToken(
                id: 1, name: name, created: now - 86_400, createdBy: name, revokedAt: nil, terms: terms, graceUntil: nil
            )
        ]
        scene.live.openCount = 1
        scene.live.underWay = [underWay(id, name)]
        scene.live.configuredTokens = [name]
        scene.live.faults = [name]
        scene.live.configuration = "listen = [\"\(name)\"]"
        scene.live.listeners = [name]
        return (scene, id)
    }

    /// A stream of five seconds.
    static func underWay(_ id: RequestID, _ name: String) -> LiveView.UnderWay {
        var request = LiveView.UnderWay(id: id, state: .streaming, age: 5_000_000)
        (request.caller, request.client, request.session) = (name, name, name)
        (request.model, request.provider, request.answering) = (name, name, 4_000_000)
        (request.inputTokens, request.leastOutput, request.bytesOut) = (12, 90, 4096)
        return request
    }

    /// All pages that there are.
    static func addresses(_ id: RequestID, _ name: String) -> [String] {
        let encoded = name.utf8.map { "%" + String(UInt16($0) | 0x100, radix: 16).dropFirst() }.joined()
        return [
            "/", "/_menshen/ui/usage", "/_menshen/ui/usage?by=caller&model=\(encoded)",
            "/_menshen/ui/usage?by=session&sort=-name",
            "/_menshen/ui/log", "/_menshen/ui/log?period=1h", "/_menshen/ui/log?q=zzz",
            "/_menshen/ui/log?caller=\(encoded)",
            "/_menshen/ui/requests/\(id)", "/_menshen/ui/sessions", "/_menshen/ui/sessions/\(encoded)",
            "/_menshen/ui/tokens",
            "/_menshen/ui/tokens/\(encoded)",
            "/_menshen/ui/providers", "/_menshen/ui/live", "/_menshen/ui/system",
        ]
    }
}
