// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What `menshen config show` prints: the configuration in effect, defaults included, as TOML in which every secret
/// reads "***". Of a key command only the program is shown: its arguments may hold a filled-in secret.
package enum ConfigurationRendering {
    private static let hidden = "\"***\""

    package static func text(of configuration: Configuration) -> String {
        var output = Output()
        output.set("listen", TOMLText.list(configuration.listen.map(\.description)))
        output.set("verbose", "\(configuration.verbose)")
        write(configuration.server, to: &output)
        write(configuration.authentication, to: &output)
        for provider in configuration.providers { write(provider, to: &output) }
        let upstream = configuration.upstream
        output.begin("[upstream]")
        output.set("connect_timeout", TOMLText.duration(upstream.connectTimeout))
        output.set("first_byte_timeout", TOMLText.duration(upstream.firstByteTimeout))
        output.set("gap_timeout", TOMLText.duration(upstream.gapTimeout))
        output.set("total_timeout", TOMLText.duration(upstream.totalTimeout))
        output.set("max_idle_connections", "\(upstream.maxIdleConnections)")
        let failover = configuration.failover
        output.begin("[failover]")
        output.set("enable", "\(failover.enable)")
        output.set("deadline", TOMLText.duration(failover.deadline))
        output.set("hold", failover.hold > .zero ? TOMLText.duration(failover.hold) : TOMLText.duration(nil))
        output.set("max_body_bytes", TOMLText.size(failover.maxBodyBytes))
        output.set("obey_retry_after", "\(failover.obeyRetryAfter)")
        output.set("breaker_failures", "\(failover.breakerFailures)")
        output.set("breaker_pause", TOMLText.duration(failover.breakerPause))
        output.begin("[storage]")
        output.set("retention_days", "\(configuration.storage.retentionDays ?? 0)")
        if let path = configuration.storage.path {
            output.begin("[storage.sqlite]")
            output.set("path", TOMLText.quoted(path))
        }
        output.begin("[logging]")
        output.set("log_request_body", "\(configuration.logging.logRequestBody)")
        output.set("log_response_body", "\(configuration.logging.logResponseBody)")
        output.set("max_body_bytes", TOMLText.size(configuration.logging.maxBodyBytes))
        write(configuration.cache, to: &output)
        return output.text
    }

    private static func write(_ cache: Configuration.Cache, to output: inout Output) {
        output.begin("[cache]")
        output.set("enable", "\(cache.enable)")
        if let age = cache.maxAge { output.set("max_age", TOMLText.duration(age)) }
        output.set("max_body_bytes", TOMLText.size(cache.maxBodyBytes))
        output.set("max_bytes", TOMLText.size(cache.maxBytes))
        output.set("scope", TOMLText.quoted(cache.scope.rawValue))
        output.set("coalesce", "\(cache.coalesce)")
        if let path = cache.path { output.set("path", TOMLText.quoted(path)) }
    }

    private struct Output {
        var text = ""

        mutating func begin(_ header: String) { text += "\n\(header)\n" }
        mutating func set(_ name: String, _ value: String) { text += "\(name) = \(value)\n" }
    }

    private static func write(_ server: Configuration.Server, to output: inout Output) {
        output.begin("[server]")
        output.set("workers", "\(server.workers)")
        output.set("allowed_hosts", TOMLText.list(server.allowedHosts))
        output.set("allowed_origins", TOMLText.list(server.allowedOrigins))
        output.set("unsafe_listen", "\(server.unsafeListen)")
        output.set("max_header_bytes", TOMLText.size(server.maxHeaderBytes))
        output.set("max_body_bytes", TOMLText.size(server.maxBodyBytes))
        output.set("max_buffered_bodies", TOMLText.size(server.maxBufferedBodies))
        output.set("max_connections", "\(server.maxConnections)")
        output.set("header_timeout", TOMLText.duration(server.headerTimeout))
        output.set("body_timeout", TOMLText.duration(server.bodyTimeout))
        output.set("idle_timeout", TOMLText.duration(server.idleTimeout))
        output.set("idle_exit", TOMLText.duration(server.idleExit))
        output.set("drain_timeout", TOMLText.duration(server.drainTimeout))
    }

    private static func write(_ authentication: Configuration.Authentication, to output: inout Output) {
        output.begin("[auth]")
        output.set("enable", "\(authentication.enable)")
        if let user = authentication.user { output.set("user", TOMLText.quoted(user)) }
        if authentication.password != nil { output.set("password", hidden) }
        for place in authentication.places where place.use == .password { set(place, &output) }
        for place in authentication.places {
            guard case .token(let name) = place.use else { continue }
            output.begin("[[auth.tokens]]")
            output.set("name", TOMLText.quoted(name))
            set(place, &output)
        }
        for token in authentication.tokens {
            output.begin("[[auth.tokens]]")
            output.set("name", TOMLText.quoted(token.name))
            output.set("token", hidden)
        }
    }

    /// Under the name that the setting has.
    private static func set(_ place: Configuration.SecretPlace, _ output: inout Output) {
        let name = place.key.split(separator: ".").last.map(String.init) ?? place.key
        switch place.source {
        case .file(let path): output.set(name, TOMLText.quoted(path))
        case .credential(let credential): output.set(name, TOMLText.quoted(credential))
        }
    }

    private static func write(_ provider: Provider, to output: inout Output) {
        output.begin("[[providers]]")
        output.set("name", TOMLText.quoted(provider.name))
        output.set("kind", TOMLText.quoted(provider.kind.rawValue))
        output.set("base_url", TOMLText.quoted(provider.baseURL.description))
        switch provider.key {
        case .none: break
        case .inline: output.set("api_key", hidden)
        case .pool(let keys): output.set("api_keys", "[" + keys.map { _ in hidden }.joined(separator: ", ") + "]")
        case .file(let path): output.set("api_key_file", TOMLText.quoted(path))
        case .credential(let name): output.set("api_key_credential", TOMLText.quoted(name))
        case .command(let argv, let timeout, let lifetime):
            output.set("api_key_command", TOMLText.list(argv.enumerated().map { $0.offset == 0 ? $0.element : "***" }))
            output.set("api_key_command_timeout", TOMLText.duration(timeout))
            output.set("api_key_command_ttl", TOMLText.duration(lifetime))
        }
        if let signing = provider.signing {
            output.set("aws_access_key_id", TOMLText.quoted(signing.accessKeyID))
            if signing.sessionToken != nil { output.set("aws_session_token", hidden) }
            output.set("region", TOMLText.quoted(signing.region))
        }
        if !provider.headers.isEmpty {
            let headers = provider.headers.map { "\(TOMLText.quoted($0.name)) = \(hidden)" }
            output.set("headers", "{ " + headers.joined(separator: ", ") + " }")
        }
        if !provider.models.isEmpty { output.set("models", TOMLText.list(provider.models.map(\.description))) }
        if let model = provider.model { output.set("model", TOMLText.quoted(model)) }
        if !provider.aliases.isEmpty {
            let aliases = provider.aliases.sorted { $0.key < $1.key }
                .map { "\(TOMLText.quoted($0.key)) = \(TOMLText.quoted($0.value))" }
            output.set("aliases", "{ " + aliases.joined(separator: ", ") + " }")
        }
        if let limit = provider.maxConcurrent {
            output.set("max_concurrent", "\(limit)")
            output.set("max_queued", "\(provider.maxQueued)")
            output.set("queue_timeout", TOMLText.duration(provider.queueTimeout))
        }
        output.set("weight", "\(provider.weight)")
        if provider.proxy != nil { output.set("proxy", hidden) }
        if let file = provider.caFile { output.set("ca_file", TOMLText.quoted(file)) }
        output.set("http2", "\(provider.http2)")
        output.set("include_usage", "\(provider.includeUsage)")
        output.set("strip_added_usage", "\(provider.stripAddedUsage)")
    }
}
