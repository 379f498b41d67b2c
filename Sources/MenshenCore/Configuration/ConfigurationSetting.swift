// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

extension ConfigurationKey {
    private static let defaults = Configuration()

    /// In the order of the example and of the reference.
    package static let all: [ConfigurationKey] =
        general + server + authentication + providers + upstream + failover + storage + logging + cache

    private static let general = [
        ConfigurationKey(
            "listen", .textOrTexts, sample: "\":8080\"",
            "TCP address to listen on, or an array of them; \":8080\" is loopback, IPv4 and IPv6."),
        ConfigurationKey(
            "verbose", .boolean, default: "\(defaults.verbose)",
            "Debug lines on stderr or in the journal: one for each request."),
    ]

    private static let server = [
        ConfigurationKey(
            "server.workers", .integer(1...64), default: "\(defaults.server.workers)",
            "Event loops; one saturates a core only above about 20,000 requests a second."),
        ConfigurationKey(
            "server.allowed_hosts", .texts, default: TOMLText.list(defaults.server.allowedHosts),
            "Further names that a TCP caller's Host header may have."),
        ConfigurationKey(
            "server.allowed_origins", .texts, default: TOMLText.list(defaults.server.allowedOrigins),
            "Origins such as \"http://localhost:5173\" whose web pages may call."),
        ConfigurationKey(
            "server.unsafe_listen", .boolean, default: "\(defaults.server.unsafeListen)",
            "Allow `listen` on an address that other machines can reach."),
        ConfigurationKey(
            "server.max_header_bytes", .size(1 << 10...1 << 20), default: TOMLText.size(defaults.server.maxHeaderBytes),
            "Limit of a request's line and header fields together."),
        ConfigurationKey(
            "server.max_body_bytes", .size(1...16 << 30), default: TOMLText.size(defaults.server.maxBodyBytes),
            "Limit of a request's body."),
        ConfigurationKey(
            "server.max_buffered_bodies", .size(1 << 20...1 << 40),
            default: TOMLText.size(defaults.server.maxBufferedBodies),
            "Memory of all request bodies that wait until they are whole; one caller gets half of it."),
        ConfigurationKey(
            "server.max_connections", .integer(1...1_000_000), default: "\(defaults.server.maxConnections)",
            "Connections of callers open at the same time."),
        ConfigurationKey(
            "server.header_timeout", .duration(orOff: false), default: TOMLText.duration(defaults.server.headerTimeout),
            "Time a caller has to send a whole request head."),
        ConfigurationKey(
            "server.body_timeout", .duration(orOff: false), default: TOMLText.duration(defaults.server.bodyTimeout),
            "Time a caller has to send a whole request body; pauses that menshen makes do not count."),
        ConfigurationKey(
            "server.idle_timeout", .duration(orOff: false), default: TOMLText.duration(defaults.server.idleTimeout),
            "Time a kept-alive connection may stay without a request."),
        ConfigurationKey(
            "server.idle_exit", .duration(orOff: true), default: TOMLText.duration(defaults.server.idleExit),
            "Exit after this long without a connection, under socket activation only."),
        ConfigurationKey(
            "server.drain_timeout", .duration(orOff: false), default: TOMLText.duration(defaults.server.drainTimeout),
            "Time that answers under way have to finish when menshen is stopped."),
    ]

    private static let authentication = [
        ConfigurationKey(
            "auth.enable", .boolean, default: "\(defaults.authentication.enable)",
            "Ask TCP callers for a token; false is refused unless `listen` is loopback."),
        ConfigurationKey("auth.user", .text, sample: "\"admin\"", "User of the status page at `/`."),
        ConfigurationKey(
            "auth.password", .text, sample: "\"${MENSHEN_PASSWORD:-}\"",
            "Password of the status page at `/`; without one the page is closed to TCP callers."),
        ConfigurationKey(
            "auth.password_file", .text, sample: "\"page-password\"",
            "File that holds the password: your own, mode 0600."),
        ConfigurationKey(
            "auth.password_credential", .text, sample: "\"page-password\"",
            "Name of a systemd credential that holds the password."),
        ConfigurationKey(
            "auth.token", .text, sample: "\"${PROXY_TOKEN}\"",
            "Token that callers send in place of a key; `listen` needs one."),
        ConfigurationKey(
            "auth.token_file", .text, sample: "\"token\"",
            "File that holds the token: your own, mode 0600; read at start and reload."),
        ConfigurationKey(
            "auth.token_credential", .text, sample: "\"menshen-token\"",
            "Name of a systemd credential that holds the token."),
        ConfigurationKey(
            "auth.tokens[].name", .text, sample: "\"laptop\"", "What records call whoever shows the token."),
        ConfigurationKey("auth.tokens[].token", .text, sample: "\"${LAPTOP_TOKEN}\"", "A further token."),
        ConfigurationKey("auth.tokens[].token_file", .text, sample: "\"laptop-token\"", "File that holds it."),
        ConfigurationKey(
            "auth.tokens[].token_credential", .text, sample: "\"laptop-token\"",
            "Name of a systemd credential that holds it."),
    ]

    private static let providers = [
        ConfigurationKey(
            "providers[].base_url", .text, sample: "\"https://api.openai.com/v1\"",
            "Address of the provider, or \"unix:///run/llm.sock:/v1\"; required."),
        ConfigurationKey(
            "providers[].name", .text, sample: "\"openai\"",
            "What records and `/NAME/…` paths call the provider; its kind unless given, then kind-2, kind-3, …"),
        ConfigurationKey(
            "providers[].kind", .text, sample: "\"openai\"",
            "\"openai\", \"anthropic\", \"gemini\", \"azure\" or \"bedrock\": how it wants its key; guessed from `base_url`."
        ),
        ConfigurationKey(
            "providers[].api_key", .text, sample: "\"${OPENAI_API_KEY}\"", "The key, from an environment variable."),
        ConfigurationKey(
            "providers[].api_keys", .texts, sample: #"["${OPENAI_KEY_1}", "${OPENAI_KEY_2}"]"#,
            "Several keys; when the provider limits one (429), the next is used."),
        ConfigurationKey(
            "providers[].api_key_file", .text, sample: "\"~/.config/menshen/anthropic.key\"",
            "File that holds the key: your own, mode 0600; read again when it changes."),
        ConfigurationKey(
            "providers[].api_key_credential", .text, sample: "\"gemini.key\"",
            "Name of a systemd credential that holds the key."),
        ConfigurationKey(
            "providers[].api_key_command", .texts, sample: #"["pass", "show", "azure"]"#,
            "Program and arguments that print the key."),
        ConfigurationKey(
            "providers[].api_key_command_timeout", .duration(orOff: false),
            default: TOMLText.duration(KeySource.defaultCommandTimeout), "Time the program has."),
        ConfigurationKey(
            "providers[].api_key_command_ttl", .duration(orOff: false),
            default: TOMLText.duration(KeySource.defaultCommandLifetime),
            "How long a printed key is used before the program runs again."),
        ConfigurationKey(
            "providers[].aws_access_key_id", .text, sample: "\"AKIAIOSFODNN7EXAMPLE\"",
            "Sign requests to Bedrock with this access key; the key is its secret access key then."),
        ConfigurationKey(
            "providers[].aws_session_token", .text, sample: "\"${AWS_SESSION_TOKEN:-}\"",
            "Session token of temporary AWS credentials."),
        ConfigurationKey(
            "providers[].region", .text, sample: "\"us-east-1\"",
            "AWS region to sign for, where `base_url` does not name it."),
        ConfigurationKey(
            "providers[].headers", .textTable, sample: #"{ "x-team" = "research" }"#,
            "Headers added to each request, in place of a caller's of the same name."),
        ConfigurationKey(
            "providers[].models", .texts, sample: #"["gpt-*", "o3"]"#,
            "Models it gets requests for, `*` for any characters; all models unless given."),
        ConfigurationKey(
            "providers[].model", .text, sample: "\"gpt-4.1\"", "Model to ask for in place of the caller's."),
        ConfigurationKey(
            "providers[].aliases", .textTable, sample: #"{ fast = "gpt-4.1-mini" }"#,
            "Names that callers may give as the model, and what each stands for at this provider."),
        ConfigurationKey(
            "providers[].weight", .integer(0...1_000_000), default: "\(Provider.defaults.weight)",
            "Share of the requests among the providers that fit; 0 takes the provider out."),
        ConfigurationKey(
            "providers[].max_concurrent", .integer(1...65_536), sample: "4",
            "Requests it gets at a time; without it any number."),
        ConfigurationKey(
            "providers[].max_queued", .integer(0...65_536), default: "\(Provider.defaults.maxQueued)",
            "Requests that may wait for one of those places; more are answered 429."),
        ConfigurationKey(
            "providers[].queue_timeout", .duration(orOff: false),
            default: TOMLText.duration(Provider.defaults.queueTimeout), "How long a request waits for a place."),
        ConfigurationKey(
            "providers[].proxy", .text, sample: "\"socks5h://127.0.0.1:1080\"",
            "Proxy to reach the provider through; the environment's proxy variables never apply."),
        ConfigurationKey(
            "providers[].ca_file", .text, sample: "\"/etc/ssl/certs/ca-certificates.crt\"",
            "PEM file to verify the provider with, in place of the system's."),
        ConfigurationKey(
            "providers[].http2", .boolean, default: "\(Provider.defaults.http2)",
            "Use HTTP/2 where the provider offers it."),
        ConfigurationKey(
            "providers[].include_usage", .boolean, default: "\(Provider.defaults.includeUsage)",
            "Add `stream_options.include_usage` to chat streams, so that their usage is known."),
        ConfigurationKey(
            "providers[].strip_added_usage", .boolean, default: "\(Provider.defaults.stripAddedUsage)",
            "Remove the usage chunk that this adds from the answer."),
    ]

    private static let upstream = [
        ConfigurationKey(
            "upstream.connect_timeout", .duration(orOff: false),
            default: TOMLText.duration(defaults.upstream.connectTimeout), "Time to reach a provider, TLS included."),
        ConfigurationKey(
            "upstream.first_byte_timeout", .duration(orOff: false),
            default: TOMLText.duration(defaults.upstream.firstByteTimeout),
            "Time from a request's last byte to its answer's first."),
        ConfigurationKey(
            "upstream.gap_timeout", .duration(orOff: false), default: TOMLText.duration(defaults.upstream.gapTimeout),
            "Longest silence within an answer."),
        ConfigurationKey(
            "upstream.total_timeout", .duration(orOff: true),
            default: TOMLText.duration(defaults.upstream.totalTimeout),
            "Limit of a whole exchange; it also cuts streams that are doing well."),
        ConfigurationKey(
            "upstream.max_idle_connections", .integer(0...65_536), default: "\(defaults.upstream.maxIdleConnections)",
            "Idle connections kept for reuse: to each plain provider, and (at least one) to all others together."),
        ConfigurationKey(
            "upstream.timeout", .duration(orOff: true), standing: .alias,
            "ai-menshen's total limit; sets `first_byte_timeout`, because a total limit cuts streams."),
        ConfigurationKey(
            "upstream.max_idle_conns_per_host", .integer(0...65_536), standing: .alias,
            "ai-menshen's name of `max_idle_connections`."),
        ConfigurationKey(
            "http_client.timeout", .duration(orOff: true), standing: .alias,
            "ai-menshen's older name of `upstream.timeout`; sets `upstream.first_byte_timeout`."),
    ]

    private static let failover = [
        ConfigurationKey(
            "failover.enable", .boolean, default: "\(defaults.failover.enable)",
            "Ask another provider that fits when one fails before its answer has begun."),
        ConfigurationKey(
            "failover.deadline", .duration(orOff: false), default: TOMLText.duration(defaults.failover.deadline),
            "Limit of all tries together, until an answer begins."),
        ConfigurationKey(
            "failover.hold", .duration(orOff: true), default: TOMLText.duration(defaults.failover.hold),
            "How long the beginning of a stream is held, where others could answer, until it shows that it is no error."
        ),
        ConfigurationKey(
            "failover.max_body_bytes", .size(0...1 << 30), default: TOMLText.size(defaults.failover.maxBodyBytes),
            "Largest request body that is kept for a second try."),
        ConfigurationKey(
            "failover.obey_retry_after", .boolean, default: "\(defaults.failover.obeyRetryAfter)",
            "Send a provider nothing for as long as its `Retry-After` asks; callers are answered 429 meanwhile."),
        ConfigurationKey(
            "failover.breaker_failures", .integer(0...1000), default: "\(defaults.failover.breakerFailures)",
            "Failures in a row after which a provider is left alone for a while; 0 never does."),
        ConfigurationKey(
            "failover.breaker_pause", .duration(orOff: false),
            default: TOMLText.duration(defaults.failover.breakerPause),
            "Longest pause of a provider that goes on failing; the first is 1 s."),
    ]

    private static let storage = [
        ConfigurationKey(
            "storage.retention_days", .integer(0...36_500), default: "\(defaults.storage.retentionDays ?? 0)",
            "Records older than this are deleted; 0 keeps them for ever."),
        ConfigurationKey(
            "storage.sqlite.path", .text, sample: "\"~/.local/state/menshen/menshen.db\"",
            "The database file; `menshen.db` in the state directory unless given."),
    ]

    private static let logging = [
        ConfigurationKey(
            "logging.log_request_body", .boolean, default: "\(defaults.logging.logRequestBody)",
            "Store request bodies, which are prompts, with the records."),
        ConfigurationKey(
            "logging.log_response_body", .boolean, default: "\(defaults.logging.logResponseBody)",
            "Store answers with the records."),
        ConfigurationKey(
            "logging.max_body_bytes", .size(0...1 << 30), default: TOMLText.size(defaults.logging.maxBodyBytes),
            "Stored part of a body."),
    ]

    private static let cache = [
        ConfigurationKey(
            "cache.enable", .boolean, default: "\(defaults.cache.enable)",
            "Give a stored answer to a request that was answered before; needs `max_age`."),
        ConfigurationKey(
            "cache.max_age", .duration(orOff: true), sample: "\"1h\"",
            "Oldest answer that is given again; no default, and \"off\" keeps the cache off."),
        ConfigurationKey(
            "cache.max_body_bytes", .size(0...1 << 30), default: TOMLText.size(defaults.cache.maxBodyBytes),
            "Largest answer that is stored."),
        ConfigurationKey(
            "cache.max_bytes", .size(1 << 20...1 << 40), default: TOMLText.size(defaults.cache.maxBytes),
            "Limit of all stored answers together; the least recently used make room."),
        ConfigurationKey(
            "cache.scope", .text, default: TOMLText.quoted(defaults.cache.scope.rawValue),
            "\"caller\": each caller has its own answers; \"instance\": all callers share them."),
        ConfigurationKey(
            "cache.coalesce", .boolean, default: "\(defaults.cache.coalesce)",
            "Let requests that are the same and come at the same time wait for one answer."),
        ConfigurationKey(
            "cache.path", .text, sample: "\"~/.cache/menshen/cache.db\"",
            "File of the stored answers; `cache.db` in the cache directory unless given."),
    ]
}

extension KeySource {
    /// A password manager may have to decrypt, or ask a server over a network; a caller does not wait longer.
    package static let defaultCommandTimeout: Duration = .seconds(10)
    /// Cloud providers' short-lived tokens last an hour; a revoked key should stop working sooner than that.
    package static let defaultCommandLifetime: Duration = .seconds(900)
}

extension Provider {
    /// Read for its defaults only.
    fileprivate static let defaults: Provider = {
        guard let address = BaseURL("http://localhost") else { preconditionFailure("a plain base URL is refused") }
        return Provider(name: "openai", kind: .openai, baseURL: address, key: .none)
    }()
}
