// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// The columns of `requests`, each in one entry, in the order of the manual. The statements that write rows, the journal's
/// fields and what is read back from them, the columns that are read, exports, and the manual's tables are made of this list. A new
/// column is an entry here and a step in `Schema`; one that is known at the beginning also belongs into the intent log, whose
/// coding then becomes the next version's. What shows single records (`RequestRecord`, `menshen show`) picks columns by name
/// and shows a new one only if it is told to.
package enum RecordColumns: ColumnList {
    package static let columns = collect()

    static var blank: AuditSettlement {
        AuditSettlement(
            beginningWith: AuditIntent(
                id: RequestID(rawValue: 0),
                caller: CallerRecord(uid: nil, pid: nil, executable: nil, unit: nil, address: ""), tokenName: nil,
                method: "", path: "", dialect: .common, operation: .other, provider: nil, model: nil, isStream: nil))
    }

    @inline(__always)
    static func visitEnd<Visitor: ColumnVisitor>(
        _ list: inout Visitor, _ row: AuditSettlement
    ) throws(Visitor.Failure) {
        try visitAnswer(&list, row)
        try visitOutcome(&list, row)
        try visitUsage(&list, row)
        try visitSpecialUsage(&list, row)
        try visitCache(&list, row)
        try visitCost(&list, row)
        try list.summary(Column("count", "1; in a summary row the number of requests it stands for"))
    }

    @inline(__always)
    static func visitBeginning<Visitor: ColumnVisitor>(
        _ list: inout Visitor, _ row: AuditSettlement
    ) throws(Visitor.Failure) {
        try list.request(
            Column(
                "id", required: true, journal: .every("MENSHEN_REQUEST_ID"),
                """
                when the request began, in microseconds since 1970 shifted left by 10, plus a sequence. Sorts by time. \
                `x-menshen-request-id` of the answer shows it in base 32
                """),
            row.intent.id)
        try visitCaller(&list, row.intent.caller)
        try list.text(
            Column(
                "token_name", journal: .every("MENSHEN_TOKEN_NAME"),
                "name of the valid token it showed, if any"),
            row.intent.tokenName)
        try list.text(
            Column(
                "rule", journal: .every("MENSHEN_RULE"),
                """
                by which it was let in or refused: `unix` (the owner's socket), `token`, `auth.enable` (authentication is \
                switched off), …; NULL if none was reached
                """),
            row.intent.rule)
        try list.text(
            Column(
                "peer_address", journal: .every("MENSHEN_PEER"), "`unix`, or address and port on TCP"),
            row.intent.caller.address)
        try visitRequest(&list, row)
        try visitClient(&list, row.intent.client)
    }

    @inline(__always)
    private static func visitCaller<Visitor: ColumnVisitor>(
        _ list: inout Visitor, _ caller: CallerRecord
    ) throws(Visitor.Failure) {
        try list.integer(
            Column(
                "caller_uid", journal: .every("MENSHEN_CALLER_UID"),
                "of the process that connected to the Unix socket; NULL on TCP"),
            caller.uid.map(Int64.init))
        try list.integer(Column("caller_pid", journal: .every("MENSHEN_CALLER_PID")), caller.pid.map(Int64.init))
        try list.text(
            Column(
                "caller_exe", journal: .every("MENSHEN_CALLER_EXE"),
                "its program and systemd unit; NULL if it was gone or can't be seen. Attribution, not authentication"),
            caller.executable)
        try list.text(Column("caller_unit", journal: .every("MENSHEN_CALLER_UNIT")), caller.unit)
        try list.text(
            Column(
                "caller_job", journal: .every("MENSHEN_CALLER_JOB"),
                "job and step of Slurm that it runs in: `123.0`, `123.batch`. Attribution"),
            caller.job)
        try list.text(
            Column(
                "caller_project", journal: .every("MENSHEN_CALLER_PROJECT"),
                "root of the repository that it worked in when it connected. Attribution; see *Who asked*"),
            caller.project?.text)
    }

    @inline(__always)
    private static func visitRequest<Visitor: ColumnVisitor>(
        _ list: inout Visitor, _ row: AuditSettlement
    ) throws(Visitor.Failure) {
        try list.text(
            Column("method", journal: .every("MENSHEN_METHOD"), "as asked, without the query"),
            row.intent.method)
        try list.text(Column("path", journal: .every("MENSHEN_PATH")), row.intent.path)
        try list.text(
            Column("dialect", journal: .every("MENSHEN_DIALECT"), "`openai`, `anthropic`, `gemini`, …"),
            row.intent.dialect.rawValue)
        try list.text(
            Column(
                "provider", journal: .every("MENSHEN_PROVIDER"),
                "the provider whose answer it is, else the one tried last; NULL if none was chosen"),
            row.answeringProvider)
        try list.text(
            Column(
                "model", journal: .every("MENSHEN_MODEL"), "as the caller named it; NULL if it did not"),
            row.model ?? row.intent.model)
        try list.integer(
            Column(
                "stream", journal: .every("MENSHEN_STREAM"), "1 or 0; NULL if the body did not say"),
            (row.isStream ?? row.intent.isStream).map { $0 ? 1 : 0 })
        try list.text(
            Column(
                "operation", journal: .every("MENSHEN_OPERATION"),
                """
                what was asked for: `chat`, `responses`, `messages`, `generate`, `embeddings`, `models`, …; `other` for \
                a path menshen does not know
                """),
            row.intent.operation.rawValue)
    }

    @inline(__always)
    private static func visitClient<Visitor: ColumnVisitor>(
        _ list: inout Visitor, _ client: ClientFacts
    ) throws(Visitor.Failure) {
        try list.text(
            Column(
                "client", journal: .every("MENSHEN_CLIENT"),
                """
                program as it calls itself in its headers: `claude-code`, `codex`, `openai-python`, …, else the first word \
                of its User-Agent. Attribution; see *Who asked*
                """),
            client.client)
        try list.text(
            Column(
                "session", journal: .every("MENSHEN_SESSION"),
                "its ids of the conversation, and of the agent within it if that is not the main one"),
            client.session)
        try list.text(Column("agent", journal: .every("MENSHEN_AGENT")), client.agent)
    }

    @inline(__always)
    private static func visitAnswer<Visitor: ColumnVisitor>(
        _ list: inout Visitor, _ row: AuditSettlement
    ) throws(Visitor.Failure) {
        try list.text(
            Column(
                "end_user", journal: .every("MENSHEN_END_USER"),
                "whom the caller says it asks for: OpenAI's `user`, Anthropic's `metadata.user_id`"),
            row.answer?.endUser)
        try list.text(
            Column("answer_model", journal: .every("MENSHEN_ANSWER_MODEL"), "as the answer says them"),
            row.answer?.model)
        try list.text(Column("service_tier", journal: .every("MENSHEN_SERVICE_TIER")), row.answer?.serviceTier)
        try list.text(Column("finish_reason", journal: .every("MENSHEN_FINISH_REASON")), row.answer?.finishReason)
        try list.text(
            Column("asked_tier", journal: .every("MENSHEN_ASKED_TIER"), "the `service_tier` that was asked for"),
            row.answer?.askedTier)
        try list.text(
            Column(
                "speed", journal: .every("MENSHEN_SPEED"),
                "Anthropic's `speed` (`fast`), as the answer says it, else as it was asked for"),
            row.answer?.speed)
        try list.text(
            Column(
                "inference_geo", journal: .every("MENSHEN_INFERENCE_GEO"),
                "where Anthropic says that it worked: `us`, `global`"),
            row.answer?.usage?.inferenceGeo)
        try list.integer(
            Column(
                "messages_in", journal: .every("MENSHEN_MESSAGES_IN"), "WebSocket messages from and to the caller"),
            row.messagesIn)
        try list.integer(Column("messages_out", journal: .every("MENSHEN_MESSAGES_OUT")), row.messagesOut)
    }

    @inline(__always)
    private static func visitOutcome<Visitor: ColumnVisitor>(
        _ list: inout Visitor, _ row: AuditSettlement
    ) throws(Visitor.Failure) {
        try list.integer(
            Column(
                "status", journal: .every("MENSHEN_STATUS"),
                "HTTP status that the caller saw; NULL if no answer began"),
            row.status.map(Int64.init))
        try list.text(
            Column("end_state", required: true, journal: .every("MENSHEN_END_STATE"), "see below"),
            row.endState.rawValue)
        try list.text(
            Column(
                "problem", journal: .every("MENSHEN_PROBLEM"),
                "code of the problem menshen answered with, or why the stream broke"),
            row.problem)
        try list.integer(
            Column("attempts", journal: .every("MENSHEN_ATTEMPTS"), "number of rows in `attempts`"),
            Int64(row.attempts.count))
        try list.integer(
            Column(
                "ttfb_us", journal: .every("MENSHEN_TTFB_US"),
                "microseconds to the answer's first byte and to the end"),
            row.firstByteMicroseconds)
        try list.integer(Column("total_us", journal: .every("MENSHEN_TOTAL_US")), row.totalMicroseconds)
        try list.integer(
            Column("bytes_in", journal: .every("MENSHEN_BYTES_IN"), "body bytes from and to the caller"),
            row.bytesIn)
        try list.integer(Column("bytes_out", journal: .every("MENSHEN_BYTES_OUT")), row.bytesOut)
    }

    @inline(__always)
    private static func visitUsage<Visitor: ColumnVisitor>(
        _ list: inout Visitor, _ row: AuditSettlement
    ) throws(Visitor.Failure) {
        try list.text(
            Column(
                "usage_state", journal: .every("MENSHEN_USAGE_STATE"), in: .usage,
                """
                `reported`: the numbers of an answer that came to its end; `partial`: the numbers so far of one that \
                did not; `unknown`: it cost something and the provider did not say what; `none`: nothing that costs, or \
                the provider refused. `estimated` is reserved
                """),
            row.usageState.rawValue)
        try list.integer(
            Column(
                "input_total", journal: .every("MENSHEN_TOKENS_IN"), in: .usage,
                "all input, cached and written to the cache included"),
            row.answer?.usage?.inputTotal)
        try list.integer(
            Column(
                "input_uncached", journal: .every("MENSHEN_INPUT_UNCACHED"), in: .usage,
                "input neither read from nor written to a cache"),
            row.answer?.usage?.inputUncached)
        try list.integer(
            Column(
                "cache_read", journal: .every("MENSHEN_CACHE_READ"), in: .usage,
                "parts of `input_total`: read from the provider's cache, and written to it"),
            row.answer?.usage?.cacheRead)
        try list.integer(
            Column("cache_write", journal: .every("MENSHEN_CACHE_WRITE"), in: .usage), row.answer?.usage?.cacheWrite)
        try list.integer(
            Column(
                "cache_write_ttl", journal: .every("MENSHEN_CACHE_WRITE_TTL"), in: .usage,
                """
                for how many seconds that is kept: 300, 1800, 3600, …; NULL if nobody says, or if some is kept longer than \
                other: then `usage_other` has `cache_write_5m`, `cache_write_1h` and the like
                """),
            row.answer?.usage?.cacheWriteTTL)
        try list.integer(
            Column(
                "output_total", journal: .every("MENSHEN_TOKENS_OUT"), in: .usage,
                "all output, and the part that was reasoning"),
            row.answer?.usage?.outputTotal)
        try list.integer(
            Column("reasoning", journal: .every("MENSHEN_REASONING"), in: .usage),
            row.answer?.usage?.reasoning)
    }

    @inline(__always)
    private static func visitSpecialUsage<Visitor: ColumnVisitor>(
        _ list: inout Visitor, _ row: AuditSettlement
    ) throws(Visitor.Failure) {
        try list.integer(
            Column("audio_in", journal: .every("MENSHEN_AUDIO_IN"), in: .usage, "parts of the totals"),
            row.answer?.usage?.audioIn)
        try list.integer(
            Column("audio_out", journal: .every("MENSHEN_AUDIO_OUT"), in: .usage),
            row.answer?.usage?.audioOut)
        try list.integer(
            Column("image_in", journal: .every("MENSHEN_IMAGE_IN"), in: .usage),
            row.answer?.usage?.imageIn)
        try list.integer(
            Column("image_out", journal: .every("MENSHEN_IMAGE_OUT"), in: .usage),
            row.answer?.usage?.imageOut)
        try list.real(
            Column(
                "seconds", journal: .every("MENSHEN_SECONDS"), in: .usage, "of audio, where that is what is paid for"),
            row.answer?.usage?.seconds)
        try list.integer(
            Column(
                "stated_cost", journal: .every("MENSHEN_STATED_COST"), in: .usage,
                "what the provider itself says it charges (OpenRouter, Perplexity, xAI), in picodollars: 10⁻¹² USD"),
            row.answer?.usage?.statedCost?.picodollars)
        try list.counts(
            Column(
                "usage_other", journal: .every("MENSHEN_USAGE_OTHER"), in: .usage,
                "JSON: counts that only one provider has, such as `web_search_requests`"),
            row.answer?.usage?.named)
        try list.text(
            Column(
                "usage_raw", journal: .alone("MENSHEN_USAGE_RAW"), in: .usage,
                """
                the provider's JSON; an array of two for Anthropic's streams, which report at the start and at the end
                """),
            (row.answer?.usage?.raw).map { String(decoding: $0, as: UTF8.self) })
    }

    @inline(__always)
    private static func visitCache<Visitor: ColumnVisitor>(
        _ list: inout Visitor, _ row: AuditSettlement
    ) throws(Visitor.Failure) {
        try list.text(
            Column(
                "cache", journal: .every("MENSHEN_CACHE"),
                "`hit`, `miss` or `bypass`; NULL if the cache has nothing to do with such requests"),
            row.cache?.outcome.rawValue)
        try list.request(
            Column(
                "cache_source", journal: .every("MENSHEN_CACHE_SOURCE"),
                "of a hit: `id` of the request whose answer it is"),
            row.cache?.source)
        try list.integer(
            Column(
                "saved_input", journal: .every("MENSHEN_SAVED_IN"),
                """
                of a hit: tokens that the original request was charged for, and this one was not; `input_total` and \
                `output_total` are NULL, so sums stay true
                """),
            row.cache?.saved?.inputTotal)
        try list.integer(Column("saved_output", journal: .every("MENSHEN_SAVED_OUT")), row.cache?.saved?.outputTotal)
    }

    @inline(__always)
    private static func visitCost<Visitor: ColumnVisitor>(
        _ list: inout Visitor, _ row: AuditSettlement
    ) throws(Visitor.Failure) {
        try list.integer(
            Column(
                "cost", journal: .every("MENSHEN_COST"),
                "picodollars (10⁻¹² USD) by list prices; NULL if not known, which is not 0. See *Cost*"),
            row.cost?.amount?.picodollars)
        try list.integer(
            Column(
                "saved", journal: .every("MENSHEN_SAVED"),
                """
                picodollars: what its tokens of the provider's cache would have cost as plain input, less what they cost; of a \
                `hit`, what it would have cost. NULL: no cache was in use, or not known, which is not 0
                """),
            row.cost?.saved?.picodollars)
        try list.text(
            Column(
                "cost_state", journal: .every("MENSHEN_COST_STATE"),
                """
                `priced`: every part had a price; `provider`: the provider said it; `partial`: what an answer that broke \
                off had cost by then; `unpriced`: not known; `none`: there is nothing to pay
                """),
            row.cost?.state.rawValue)
        try list.text(
            Column("cost_reason", journal: .every("MENSHEN_COST_REASON"), "why it is not known"), row.cost?.reason)
        try list.text(
            Column(
                "price_version", journal: .every("MENSHEN_PRICE_VERSION"),
                "of the table of prices and of `prices.toml`, by which the cost was computed"),
            row.cost?.priceVersion)
    }
}

extension AuditSettlement {
    /// What is known at the beginning, in the shape of an end; columns that only the end knows are not asked for.
    init(beginningWith intent: AuditIntent) {
        self.init(intent: intent, endState: .lost, totalMicroseconds: 0, bytesIn: 0, bytesOut: 0)
    }
}
