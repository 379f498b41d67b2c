// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What is known of a request when its answer may begin. Committed before the answer's first byte.
/// A class so that its settlement can carry it along for the price of one reference.
package final class AuditIntent: Sendable {
    package let id: RequestID
    package let caller: CallerRecord
    /// Name of the proxy token that was shown, if one was valid.
    package let tokenName: String?
    package let method: String
    /// Path without the query: a query may hold a key.
    package let path: String
    package let dialect: Dialect
    package let operation: Operation
    /// nil when the request was refused before a provider was chosen.
    package let provider: String?
    package let model: String?
    /// nil when the body did not say.
    package let isStream: Bool?
    package let client: ClientFacts
    /// Which rule let it in, or refused it; nil where none was asked.
    package let rule: String?

    package init(
        id: RequestID, caller: CallerRecord, tokenName: String?, method: String, path: String, dialect: Dialect,
        operation: Operation, provider: String?, model: String?, isStream: Bool?, client: ClientFacts = ClientFacts(),
        rule: String? = nil
    ) {
        self.id = id
        self.caller = caller
        self.tokenName = tokenName
        self.method = method
        self.path = AuditText.path(path)
        self.dialect = dialect
        self.operation = operation
        self.provider = provider
        self.model = model.map(AuditText.name)
        self.isStream = isStream
        self.client = client
        self.rule = rule
    }
}

/// Something that is found out beside the requests of a connection; nil until then, and if there is nothing.
package protocol LateText: Sendable {
    var text: String? { get }
    var standing: LateStanding { get }
}

package enum LateStanding: Sendable {
    /// What `text` says is all that will ever be said.
    case known
    /// It is being looked for.
    case awaited
    /// Nobody has looked, and nobody will.
    case unread
}

extension String: LateText {
    package var text: String? { self }
    package var standing: LateStanding { .known }
}

/// Something that was not looked for when the connection was made.
package struct UnreadText: LateText {
    package init() {}

    package var text: String? { nil }
    package var standing: LateStanding { .unread }
}

/// Who is at the other end of a connection, read once per connection.
package final class CallerRecord: Sendable {
    /// nil on TCP.
    package let uid: UInt32?
    package let pid: Int32?
    /// Its group, and its supplementary ones where the kernel tells them; nil on TCP. For policy, and in no record.
    package let gid: UInt32?
    package let groups: [UInt32]
    /// Attribution, not authentication; nil if the process was gone when we looked.
    package let executable: String?
    package let unit: String?
    /// Job and step of a batch system: "123.0".
    package let job: String?
    /// Root of the repository that it works in; nil: there is none.
    package let project: (any LateText)?
    /// "127.0.0.1:49152" on TCP, "unix" on a Unix socket.
    package let address: String
    /// `address` without the port, which each connection on TCP has anew.
    package let host: String
    /// Which program it is, or on TCP which host, however many processes and connections it has.
    package let program: String

    package init(
        uid: UInt32?, pid: Int32?, gid: UInt32? = nil, groups: [UInt32] = [], executable: String?, unit: String?,
        job: String? = nil, project: (any LateText)? = nil, address: String
    ) {
        self.uid = uid
        self.pid = pid
        self.gid = gid
        self.groups = groups
        self.executable = executable
        self.unit = unit
        self.job = job
        self.project = project
        self.address = address
        host = String(address[..<(address.lastIndex(of: ":") ?? address.endIndex)])
        program = uid.map { "\($0) \(unit ?? "") \(executable ?? "")" } ?? host
    }
}

/// How a request ended. The raw values are what the database and the journal say.
package enum EndState: String, Sendable, CaseIterable {
    /// The whole answer, whatever its status, went down.
    case complete
    /// menshen said no: authentication, policy, limits, malformed input.
    case refused
    /// No usable answer came from the provider.
    case upstreamError = "upstream_error"
    /// The provider's answer broke off, or ended without its dialect's completion marker; the caller's broke off too.
    case truncated
    /// The provider ended a stream that had begun well with an error event; `problem` is its type or code.
    case streamError = "stream_error"
    /// The caller left first.
    case clientGone = "client_gone"
    /// One of the upstream timers ran out.
    case timeout
    /// menshen stopped, or failed itself, before the request ended.
    case aborted
    /// The process died while the request was under way; set at the next start.
    case lost
}

/// One attempt at one provider.
package struct AttemptRecord: Sendable, Equatable {
    package var provider: String
    /// Which of the provider's keys, from 1; nil if it has but one.
    package var key: Int?
    /// What it was asked for, if that was not the caller's model.
    package var model: String?
    /// The upstream's status; nil if no head came.
    package var status: Int?
    /// "ok", or why it failed: "connect", "first_byte_timeout", "rate_limited", …
    package var reason: String
    /// Microseconds since the request began.
    package var startedMicroseconds: Int64
    package var endedMicroseconds: Int64

    package init(
        provider: String, key: Int? = nil, model: String? = nil, status: Int?, reason: String,
        startedMicroseconds: Int64, endedMicroseconds: Int64
    ) {
        self.provider = provider
        self.key = key
        self.model = model
        self.status = status
        self.reason = reason
        self.startedMicroseconds = startedMicroseconds
        self.endedMicroseconds = endedMicroseconds
    }
}

extension AttemptRecord {
    /// Reasons of which the provider has seen nothing of the request, or says that it has done nothing with it: those of
    /// `UpstreamFailure.Reason.isBeforeRequest`, and a key that is not there.
    package static let unasked: Set<String> = [
        "resolve", "connect", "connect_timeout", "tls", "proxy", "stale_connection", "refused_stream",
        "http_1_1_required", "unavailable", AttemptOutcome.noKey.reason,
    ]

    /// The provider has seen something of the request.
    package var wasAsked: Bool { status != nil || !Self.unasked.contains(reason) }
}

/// What the request and its answer say of themselves, as the provider wrote it. A class so that a settlement, which is
/// copied from queue to queue, carries one reference.
package final class AnswerRecord: Sendable {
    package let usage: Usage?
    /// The model the answer names.
    package let model: String?
    package let finishReason: String?
    /// The tier that the answer names, and the one that the request asked for.
    package let serviceTier: String?
    package let askedTier: String?
    /// As the answer says it, else as the request asked for it.
    package let speed: String?
    /// Whom the caller says it asks for: OpenAI's `user`, Anthropic's `metadata.user_id`.
    package let endUser: String?

    /// `keys` are masked in whatever the provider said.
    package init(
        usage: consuming Usage?, model: consuming String?, finishReason: consuming String?,
        serviceTier: consuming String?, askedTier: String? = nil, speed: String? = nil, endUser: String?,
        masking keys: SecretSet
    ) {
        if var raw = usage?.raw, keys.occurs(in: raw.span) {
            keys.mask(in: &raw)
            usage?.raw = raw
        }
        let (mode, geo) = (usage?.speed, usage?.inferenceGeo)
        if mode != nil || geo != nil {
            usage?.speed = keys.masked(mode).map(AuditText.name)
            usage?.inferenceGeo = keys.masked(geo).map(AuditText.name)
        }
        self.usage = usage
        self.model = keys.masked(model).map(AuditText.name)
        self.finishReason = keys.masked(finishReason).map(AuditText.name)
        self.serviceTier = keys.masked(serviceTier).map(AuditText.name)
        self.askedTier = askedTier.map(AuditText.name)
        self.speed = usage?.speed ?? speed.map(AuditText.name)
        self.endUser = endUser.map(AuditText.name)
    }
}

/// The end of a request: completes its row.
package struct AuditSettlement: Sendable {
    package var intent: AuditIntent
    package var endState: EndState
    /// Whose answer it was, if not that of the last attempt.
    package var provider: String?
    /// Status the caller saw; nil if none went down.
    package var status: Int?
    /// Code of the problem menshen answered with, or of why the stream broke.
    package var problem: String?
    package var attempts: [AttemptRecord] = []
    /// From the request's first byte to the answer's first byte.
    package var firstByteMicroseconds: Int64?
    package var totalMicroseconds: Int64
    /// Body bytes received from the caller, and sent to it.
    package var bytesIn: Int64
    package var bytesOut: Int64
    /// Whole WebSocket messages from the caller, and to it; nil for a request that did not become a WebSocket.
    package var messagesIn: Int64?
    package var messagesOut: Int64?
    /// Set when the whole body was seen only after the intent was written.
    package var model: String?
    package var isStream: Bool?
    package var usageState = UsageState.none
    /// nil when nothing was understood of the answer, or asked of it.
    package var answer: AnswerRecord?
    /// nil: not computed.
    package var cost: Cost?
    /// Stored bodies, already cut to the limit and with keys masked; nil unless `[logging]` asks for them.
    package var requestBody: [UInt8]?
    /// nil when no cache is configured, or it has nothing to do with such requests.
    package var cache: CacheRecord?
    package var responseBody: [UInt8]?

    package init(intent: AuditIntent, endState: EndState, totalMicroseconds: Int64, bytesIn: Int64, bytesOut: Int64) {
        self.intent = intent
        self.endState = endState
        self.totalMicroseconds = totalMicroseconds
        self.bytesIn = bytesIn
        self.bytesOut = bytesOut
    }

    /// The provider that the row names; the intent names the first that was asked.
    package var answeringProvider: String? { provider ?? attempts.last?.provider ?? intent.provider }
}

/// What the cache had to do with a request. A class for the same reason as `AnswerRecord`.
package final class CacheRecord: Sendable {
    package enum Outcome: String, Sendable {
        case hit, miss, bypass

        /// What `X-Cache` says.
        package var header: StaticString {
            switch self {
            case .hit: "HIT"
            case .miss: "MISS"
            case .bypass: "BYPASS"
            }
        }
    }

    package let outcome: Outcome
    /// The request whose answer it was, and what a provider said that one cost.
    package let source: RequestID?
    package let saved: Usage?

    package init(_ outcome: Outcome, source: RequestID? = nil, saved: Usage? = nil) {
        self.outcome = outcome
        self.source = source
        self.saved = saved
    }
}
