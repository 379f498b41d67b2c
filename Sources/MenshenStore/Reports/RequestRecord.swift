// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import MenshenCore

/// A recorded request, with all that its row says.
package struct RequestRecord: Sendable {
    package struct Caller: Sendable {
        package var uid: UInt32?
        package var pid: Int32?
        package var executable: String?
        package var unit: String?
        package var job: String?
        package var project: String?
        package var address: String?
        package var token: String?
        package var rule: String?
        package var client: String?
        package var session: String?
        package var agent: String?
        package var endUser: String?
    }

    package struct Asked: Sendable {
        /// nil in a summary row of refusals, as all else about the request.
        package var method: String?
        package var path: String?
        package var dialect: String?
        package var operation: String?
        package var model: String?
        package var isStream: Bool?
        package var tier: String?
        package var bytes: Int64?
    }

    package struct Answered: Sendable {
        package var provider: String?
        package var model: String?
        package var status: Int?
        /// "open" until it is settled, then an `EndState`.
        package var endState: String
        package var problem: String?
        package var attempts: Int
        package var firstByteMicroseconds: Int64?
        package var totalMicroseconds: Int64?
        package var bytes: Int64?
        package var tier: String?
        package var finishReason: String?
        package var speed: String?
        package var geo: String?
        package var messagesIn: Int64?
        package var messagesOut: Int64?
    }

    package struct Cached: Sendable {
        /// "hit", "miss" or "bypass".
        package var state: String
        package var source: RequestID?
        package var savedInput: Int64?
        package var savedOutput: Int64?
    }

    package var id: RequestID
    package var caller: Caller
    package var asked: Asked
    package var answered: Answered
    /// "reported", "partial", "unknown", "none"; nil if nothing is known of it.
    package var usageState: String?
    /// What was reported; nil counts were not.
    package var usage: Usage
    /// nil in rows of before there were costs, and while it is open.
    package var cost: Cost?
    package var cache: Cached?
    /// 1, or the number of refusals that a summary row stands for.
    package var count: Int64

    /// As `ReportSums.Count.failed` says it.
    package var isFailed: Bool {
        answered.status ?? 0 >= 400 || !["complete", "client_gone", "open"].contains(answered.endState)
    }

    /// Its cost is not known, or what it used is not.
    package var isUnpriced: Bool {
        if usageState == "unknown" || answered.endState == "lost" && usageState == nil { return true }
        return cost?.amount == nil && ["reported", "partial", "estimated"].contains(usageState)
            && [nil, .unpriced, .partial].contains(cost?.state)
    }

    package var traits: RequestTraits {
        (isFailed ? RequestTraits.failed : []).union(isUnpriced ? .unpriced : [])
    }

    init(_ row: RecordRow) {
        id = RequestID(rawValue: row.integer("id") ?? 0)
        caller = Caller(
            uid: row.integer("caller_uid").flatMap { UInt32(exactly: $0) },
            pid: row.integer("caller_pid").flatMap { Int32(exactly: $0) }, executable: row.text("caller_exe"),
            unit: row.text("caller_unit"), job: row.text("caller_job"), project: row.text("caller_project"),
            address: row.text("peer_address"), token: row.text("token_name"), rule: row.text("rule"),
            client: row.text("client"), session: row.text("session"), agent: row.text("agent"),
            endUser: row.text("end_user"))
        asked = Asked(
            method: row.text("method"), path: row.text("path"), dialect: row.text("dialect"),
            operation: row.text("operation"), model: row.text("model"),
            isStream: row.integer("stream").map { $0 != 0 }, tier: row.text("asked_tier"),
            bytes: row.integer("bytes_in"))
        answered = Answered(
            provider: row.text("provider"), model: row.text("answer_model"),
            status: row.integer("status").map { Int($0) }, endState: row.text("end_state") ?? "",
            problem: row.text("problem"), attempts: Int(row.integer("attempts") ?? 0),
            firstByteMicroseconds: row.integer("ttfb_us"), totalMicroseconds: row.integer("total_us"),
            bytes: row.integer("bytes_out"), tier: row.text("service_tier"), finishReason: row.text("finish_reason"),
            speed: row.text("speed"), geo: row.text("inference_geo"), messagesIn: row.integer("messages_in"),
            messagesOut: row.integer("messages_out"))
        usageState = row.text("usage_state")
        var usage = Usage()
        for (name, count) in zip(Usage.countNames, Usage.counts) { usage[keyPath: count] = row.integer("\(name)") }
        usage.seconds = row.real("seconds")
        usage.take(
            named: row.text("usage_other").map(Usage.Extra.read) ?? [], cacheWriteTTL: row.integer("cache_write_ttl"))
        usage.statedCost = row.integer("stated_cost").map { Money(picodollars: $0) }
        usage.raw = Array((row.text("usage_raw") ?? "").utf8)
        self.usage = usage
        cost = row.text("cost_state").flatMap { Cost.State(rawValue: $0) }.map {
            Cost(
                row.integer("cost").map { Money(picodollars: $0) }, $0, reason: row.text("cost_reason"),
                priceVersion: row.text("price_version"), saved: row.integer("saved").map { Money(picodollars: $0) })
        }
        cache = row.text("cache").map {
            Cached(
                state: $0, source: row.integer("cache_source").map { RequestID(rawValue: $0) },
                savedInput: row.integer("saved_input"), savedOutput: row.integer("saved_output"))
        }
        count = row.integer("count") ?? 1
    }

    /// What it has in a dimension, as reports group it.
    package func value(_ dimension: Dimension) -> String? {
        switch dimension {
        case .model: asked.model ?? answered.model
        case .provider: answered.provider
        case .caller: caller.token ?? caller.uid.map { "uid:\($0)" }
        case .token: caller.token
        case .user: caller.uid.map { "\($0)" }
        case .program: caller.executable
        case .unit: caller.unit
        case .client: caller.client
        case .session: caller.session
        case .agent: caller.agent
        case .job: caller.job
        case .project: caller.project
        case .operation: asked.operation
        case .status: answered.status.map { "\($0)" }
        case .outcome: answered.endState
        case .endUser: caller.endUser
        }
    }
}

/// One try at a provider.
package struct RecordedAttempt: Sendable {
    /// From 1.
    package var number: Int
    package var provider: String
    /// Which of its keys, from 1; nil if it has one.
    package var key: Int?
    /// What it was asked for, if that is not what the caller asked for.
    package var model: String?
    package var status: Int?
    /// "ok", or why it was not.
    package var reason: String
    /// Since the request began.
    package var startedMicroseconds: Int64
    package var endedMicroseconds: Int64
}

/// A recorded request with its attempts.
package struct RequestDetail: Sendable {
    package var record: RequestRecord
    package var attempts: [RecordedAttempt]
    /// Of the bodies that are kept, how long they are as kept.
    package var requestBodyBytes: Int?
    package var responseBodyBytes: Int?
}

extension OutcomeWords {
    package init(_ record: RequestRecord) {
        self.init(
            status: record.answered.status, endState: record.answered.endState, problem: record.answered.problem,
            attempts: record.answered.attempts, isFromCache: record.cache?.state == "hit")
    }
}
