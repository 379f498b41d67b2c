// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// What an exchange itself answers with, in place of a provider.
extension Problem {
    /// Anybody may connect there, so the reason is for the journal and the Unix socket.
    static let tcpRefused = Problem(
        .configurationBroken, status: 503,
        "menshen serves nothing over TCP with its present configuration. 'menshen status' and its journal say why.")

    /// A stranger on TCP is not told what the owner wrote.
    static func broken(_ fault: String, isTCP: Bool) -> Problem {
        Problem(
            .configurationBroken, status: 503,
            "menshen has no usable configuration. "
                + (isTCP ? "Its journal and 'menshen status' tell its owner the reason." : fault))
    }

    static let unsafePath = Problem(
        .forbiddenPath, status: 400,
        "The path holds a '.' or '..' segment or a control character, plain or encoded.")

    static let headWithBody = Problem(
        .malformedRequest, status: 400, "A HEAD request with a body is not forwarded.")

    static let revoked = Problem(.unauthenticated, status: 401, "The proxy token was revoked.")

    // MARK: Providers

    /// Each provider that fits has asked to be left alone. `pause`: microseconds.
    static func paused(_ names: [String], for pause: UInt64) -> Problem {
        let seconds = max(1, (pause + 999_999) / 1_000_000)
        let list = names.map { "'\($0)'" }.joined(separator: ", ")
        let who = names.count == 1 ? "Provider \(list)" : "Each of the providers \(list)"
        return Problem(
            .providerPaused, status: 429, "\(who) asked for a pause, which lasts another \(seconds) s.",
            isRetryable: true, retryAfter: seconds)
    }

    static func queueFull(_ provider: String) -> Problem {
        Problem(
            .concurrencyLimited, status: 429,
            "Too many requests wait for provider '\(provider)'. See its max_concurrent and max_queued.",
            isRetryable: true, retryAfter: 1)
    }

    static func queueTimeout(_ provider: String) -> Problem {
        Problem(
            .concurrencyLimited, status: 429,
            "No place at provider '\(provider)' became free within its queue_timeout.", isRetryable: true,
            retryAfter: 1)
    }

    static let deadlinePassed = Problem(
        .upstreamTimeout, status: 504, "No provider began to answer within failover.deadline.", isRetryable: true)

    static func stalledUpload(_ provider: String, milliseconds: UInt64) -> Problem {
        Problem(
            .requestTimeout, status: 408,
            "The body stopped arriving for \(milliseconds) ms while others waited for its place at provider '\(provider)'. See its max_concurrent.",
            isRetryable: true)
    }

    static func errorEvent(_ code: String, of provider: String) -> Problem {
        Problem(
            .upstreamBroken, status: 502, "Provider '\(provider)' answered with an error event (\(code)).",
            isRetryable: true)
    }

    // MARK: WebSockets

    /// Codex goes on over plain HTTP at once on this status, and on no other.
    static func noWebSocket(_ providers: [String], _ operation: Operation) -> Problem {
        let list = providers.map { "'\($0)'" }.joined(separator: ", ")
        let who = providers.count == 1 ? "Provider \(list) has" : "None of the providers \(list) has"
        let none = providers.count == 1 ? "no WebSocket" : "a WebSocket"
        return Problem(
            .noWebSocket, status: 426,
            "\(who) \(none) for this path."
                + (operation.hasPlainForm ? " Send the request over plain HTTP." : " See its websocket setting."))
    }

    /// Its first message names the model, which comes after a provider was chosen.
    static func noModelForWebSocket(_ ruling: String) -> Problem {
        Problem(
            .noWebSocket, status: 426,
            "Which provider gets a request depends on its model (see models, model and aliases of '\(ruling)'), which a WebSocket names too late. Send the request over plain HTTP, or to /\(ruling)/…."
        )
    }

    /// The same, for a limit.
    static let noModelForLimit = Problem(
        .noWebSocket, status: 426,
        "A limit depends on the request's model or its price, which a WebSocket names too late. Send the request over plain HTTP."
    )

    // MARK: Keys

    static func noKey(_ provider: String, _ reason: String) -> Problem {
        Problem(.keyUnavailable, status: 503, "Provider '\(provider)' has no key. \(reason)")
    }

    static let refusedKey = Problem(
        .keyUnavailable, status: 502, "The provider refuses its key, and its source has no other.")

    static let keySourceChanged = Problem(
        .keyUnavailable, status: 503, "The configuration changed while this request waited for its key.",
        isRetryable: true)

    static func unsignable(_ provider: String) -> Problem {
        Problem(
            .requestTooLarge, status: 413,
            "The body is larger than 32 MiB, the limit for provider '\(provider)': its requests are signed over the whole body."
        )
    }

    // MARK: Records

    static let backlogFull = Problem(
        .overloaded, status: 503,
        "The audit backlog is full: requests come faster than they can be recorded.", isRetryable: true)

    static let notRecorded = Problem(
        .auditUnavailable, status: 503,
        "No record of this request can be kept: neither the audit database nor the journal takes it.",
        isRetryable: true)

    /// How a request ends that is answered with it.
    var endState: EndState {
        switch code {
        case .upstreamTimeout: .timeout
        case .upstreamUnreachable, .upstreamBroken: .upstreamError
        default: .refused
        }
    }
}
