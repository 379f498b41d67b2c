// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import TOML

/// The sections that only hold numbers, switches and paths.
extension ConfigurationDecoder {
    static func server(_ section: ConfigurationSection) -> Configuration.Server {
        var server = Configuration.Server()
        set(&server.workers, section.integer("workers"))
        set(&server.unsafeListen, section.boolean("unsafe_listen"))
        set(&server.maxHeaderBytes, section.size("max_header_bytes"))
        set(&server.maxBodyBytes, section.size("max_body_bytes"))
        set(&server.maxBufferedBodies, section.size("max_buffered_bodies"))
        set(&server.maxConnections, section.integer("max_connections"))
        set(&server.headerTimeout, section.duration("header_timeout"))
        set(&server.bodyTimeout, section.duration("body_timeout"))
        set(&server.idleTimeout, section.duration("idle_timeout"))
        set(&server.drainTimeout, section.duration("drain_timeout"))
        if let idle = section.duration("idle_exit") { server.idleExit = idle > .zero ? idle : nil }
        for host in section.texts("allowed_hosts") ?? [] {
            if isHost(host.text) {
                server.allowedHosts.append(host.text.lowercased())
            } else {
                section.reading.error(
                    at: host.span, "server.allowed_hosts: this is not a host name",
                    hint: "write \"llm.example\" or \"llm.example:8080\", as the Host header has it")
            }
        }
        for origin in section.texts("allowed_origins") ?? [] {
            if isOrigin(origin.text) {
                server.allowedOrigins.append(origin.text.lowercased())
            } else {
                section.reading.error(
                    at: origin.span, "server.allowed_origins: this is not an origin",
                    hint: "write scheme://host or scheme://host:port without a path, as \"http://localhost:5173\"")
            }
        }
        return server
    }

    static func upstream(_ section: ConfigurationSection, older: ConfigurationSection) -> Configuration.Upstream {
        var upstream = Configuration.Upstream()
        set(&upstream.connectTimeout, section.duration("connect_timeout"))
        set(&upstream.gapTimeout, section.duration("gap_timeout"))
        if let total = section.duration("total_timeout") { upstream.totalTimeout = total > .zero ? total : nil }
        alias(
            "timeout", in: older, of: "upstream.first_byte_timeout",
            isSet: section.has("first_byte_timeout") || section.has("timeout"))
        alias("timeout", in: section, of: "first_byte_timeout", isSet: section.has("first_byte_timeout"))
        for timeout in [older.duration("timeout"), section.duration("timeout")] {
            // 0 is Go's way to say "no limit"; an answer that never begins has to end some time.
            set(&upstream.firstByteTimeout, timeout.flatMap { $0 > .zero ? $0 : nil })
        }
        set(&upstream.firstByteTimeout, section.duration("first_byte_timeout"))
        alias(
            "max_idle_conns_per_host", in: section, of: "max_idle_connections",
            isSet: section.has("max_idle_connections"))
        set(&upstream.maxIdleConnections, section.integer("max_idle_conns_per_host"))
        set(&upstream.maxIdleConnections, section.integer("max_idle_connections"))
        return upstream
    }

    static func failover(_ section: ConfigurationSection) -> Configuration.Failover {
        var failover = Configuration.Failover()
        set(&failover.enable, section.boolean("enable"))
        set(&failover.deadline, section.duration("deadline"))
        set(&failover.hold, section.duration("hold"))
        set(&failover.maxBodyBytes, section.size("max_body_bytes"))
        set(&failover.obeyRetryAfter, section.boolean("obey_retry_after"))
        set(&failover.breakerFailures, section.integer("breaker_failures"))
        set(&failover.breakerPause, section.duration("breaker_pause"))
        return failover
    }

    /// Warns of an older name whose newer one is given too.
    private static func alias(_ name: String, in section: ConfigurationSection, of newer: String, isSet: Bool) {
        guard isSet, let span = section.keySpan(name) else { return }
        section.reading.warning(
            at: span, "\(section.path).\(name) is ignored: a newer name of it is given too",
            hint: "remove it; \(newer) applies")
    }

    static func storage(_ section: ConfigurationSection) -> Configuration.Storage {
        var storage = Configuration.Storage()
        if let days = section.integer("retention_days") { storage.retentionDays = days > 0 ? days : nil }
        let sqlite = section.section("sqlite")
        if let path = sqlite.text("path") {
            storage.path = FilePath.resolve(path, "storage.sqlite.path", section.reading)
        }
        return storage
    }

    static func logging(_ section: ConfigurationSection) -> Configuration.Logging {
        var logging = Configuration.Logging()
        set(&logging.logRequestBody, section.boolean("log_request_body"))
        set(&logging.logResponseBody, section.boolean("log_response_body"))
        set(&logging.maxBodyBytes, section.size("max_body_bytes"))
        return logging
    }

    /// A name, an IPv4 address or a bracketed IPv6 address, with or without a port.
    private static func isHost(_ text: String) -> Bool {
        BaseURL("http://" + text).map { $0.path.isEmpty } == true && !text.hasSuffix("/")
    }

    private static func isOrigin(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), (97...122).contains(bytes.first ?? 0) else {
            return false
        }
        let isScheme = bytes[..<colon].allSatisfy { byte in
            switch byte {
            case 48...57, 97...122, UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."): true
            default: false
            }
        }
        guard isScheme, bytes[colon...].starts(with: Array("://".utf8)) else { return false }
        return isHost(String(decoding: bytes[(colon + 3)...], as: UTF8.self))
    }
}

/// Paths in the text: `~/` is the home directory, relative ones start from the configuration file's directory.
enum FilePath {
    static func resolve(_ path: ExpandedText, _ key: String, _ reading: ConfigurationReading) -> String? {
        let text = path.text
        guard !text.isEmpty, !text.utf8.contains(0) else {
            reading.error(at: path.span, text.isEmpty ? "\(key) is empty" : "\(key) holds a NUL character")
            return nil
        }
        if text.hasPrefix("/") { return text }
        if text.hasPrefix("~/") {
            guard let home = reading.environment("HOME"), home.hasPrefix("/") else {
                reading.error(
                    at: path.span, "\(key) begins with \"~/\", but the environment variable HOME is not set",
                    hint: "write an absolute path")
                return nil
            }
            return (home.hasSuffix("/") ? String(home.dropLast()) : home) + text.dropFirst()
        }
        guard let slash = reading.file.utf8.lastIndex(of: UInt8(ascii: "/")) else { return text }
        return reading.file[...slash] + text
    }
}
