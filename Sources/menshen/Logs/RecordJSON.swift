// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenStore

/// A recorded request as an object, with the names of the database's columns. `id` is the text that callers see.
enum RecordJSON {
    static func line(_ record: RequestRecord) -> String { JSONLine.object(members(record)) }

    /// `attempts_made` in place of the number of attempts.
    static func line(_ detail: RequestDetail) -> String {
        let attempts = detail.attempts.map { attempt in
            JSONLine.object([
                ("n", .number(Int64(attempt.number))), ("provider", .text(attempt.provider)),
                ("key_n", .number(attempt.key.map(Int64.init))), ("model", .text(attempt.model)),
                ("status", .number(attempt.status.map(Int64.init))), ("reason", .text(attempt.reason)),
                ("started_us", .number(attempt.startedMicroseconds)), ("ended_us", .number(attempt.endedMicroseconds)),
            ])
        }
        let bodies: [(name: String, value: JSONLine.Value)] = [
            ("request_body_bytes", .number(detail.requestBodyBytes.map(Int64.init))),
            ("response_body_bytes", .number(detail.responseBodyBytes.map(Int64.init))),
        ]
        return JSONLine.object(members(detail.record) + bodies).dropLast()
            + ",\"attempts_made\":[\(attempts.joined(separator: ","))]}"
    }

    private static func members(_ record: RequestRecord) -> [(name: String, value: JSONLine.Value)] {
        who(record) + asked(record) + answered(record) + used(record)
    }

    private static func who(_ record: RequestRecord) -> [(name: String, value: JSONLine.Value)] {
        let caller = record.caller
        let time = record.id.microseconds
        let fraction = "\(1_000_000 + time % 1_000_000)".dropFirst()
        return [
            ("id", .text(record.id.description)),
            ("started", .text(ZoneRules.utc.stamp(time / 1_000_000).replacingSuffix("+00:00", with: ".\(fraction)Z"))),
            ("caller_uid", .number(caller.uid.map(Int64.init))), ("caller_pid", .number(caller.pid.map(Int64.init))),
            ("caller_exe", .text(caller.executable)), ("caller_unit", .text(caller.unit)),
            ("caller_job", .text(caller.job)), ("caller_project", .text(caller.project)),
            ("token_name", .text(caller.token)), ("rule", .text(caller.rule)), ("peer_address", .text(caller.address)),
            ("client", .text(caller.client)), ("session", .text(caller.session)), ("agent", .text(caller.agent)),
            ("end_user", .text(caller.endUser)),
        ]
    }

    private static func asked(_ record: RequestRecord) -> [(name: String, value: JSONLine.Value)] {
        let asked = record.asked
        return [
            ("method", .text(asked.method)), ("path", .text(asked.path)), ("dialect", .text(asked.dialect)),
            ("operation", .text(asked.operation)), ("model", .text(asked.model)),
            ("stream", .number(asked.isStream.map { $0 ? 1 : 0 })), ("asked_tier", .text(asked.tier)),
            ("bytes_in", .number(asked.bytes)),
        ]
    }

    private static func answered(_ record: RequestRecord) -> [(name: String, value: JSONLine.Value)] {
        let answered = record.answered
        return [
            ("provider", .text(answered.provider)), ("answer_model", .text(answered.model)),
            ("status", .number(answered.status.map(Int64.init))), ("end_state", .text(answered.endState)),
            ("problem", .text(answered.problem)), ("attempts", .number(Int64(answered.attempts))),
            ("ttfb_us", .number(answered.firstByteMicroseconds)), ("total_us", .number(answered.totalMicroseconds)),
            ("bytes_out", .number(answered.bytes)), ("service_tier", .text(answered.tier)),
            ("finish_reason", .text(answered.finishReason)), ("speed", .text(answered.speed)),
            ("inference_geo", .text(answered.geo)), ("messages_in", .number(answered.messagesIn)),
            ("messages_out", .number(answered.messagesOut)),
        ]
    }

    private static func used(_ record: RequestRecord) -> [(name: String, value: JSONLine.Value)] {
        let counts = zip(Usage.countNames, Usage.counts).map { name, count in
            (name: "\(name)", value: JSONLine.Value.number(record.usage[keyPath: count]))
        }
        return [(name: "usage_state", value: JSONLine.Value.text(record.usageState))] + counts + [
            ("cost", .text(record.cost?.amount.map { "\($0.picodollars)" })),
            ("cost_state", .text(record.cost?.state.rawValue)), ("cost_reason", .text(record.cost?.reason)),
            ("price_version", .text(record.cost?.priceVersion)),
            ("saved", .text(record.cost?.saved.map { "\($0.picodollars)" })), ("cache", .text(record.cache?.state)),
            ("cache_source", .text(record.cache?.source?.description)),
            ("saved_input", .number(record.cache?.savedInput)), ("saved_output", .number(record.cache?.savedOutput)),
            ("count", .number(record.count)),
        ]
    }
}

extension String {
    fileprivate func replacingSuffix(_ suffix: String, with other: String) -> String {
        hasSuffix(suffix) ? dropLast(suffix.count) + other : self
    }
}
