// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

extension Configuration {
    /// `[server]`: listening, limits and life time.
    package struct Server: Sendable, Equatable {
        /// One reactor saturates a core only above about 20,000 requests a second; more is for large shared hosts.
        package var workers = 1
        /// Hosts, besides the addresses listened on, that a TCP caller's Host header may name.
        package var allowedHosts: [String] = []
        /// Origins ("http://localhost:5173") whose pages may call; none by default, a web page must not spend the key.
        package var allowedOrigins: [String] = []
        /// Allow `listen` on an address that other machines can reach.
        package var unsafeListen = false
        /// Request line and header fields together. nginx allows 8 KiB a line; SDK headers stay under 4 KiB.
        package var maxHeaderBytes = 32 << 10
        /// OpenAI's SDK uploads in parts of 64 MiB, each in a form; prompts stay under 32 MB.
        package var maxBodyBytes = 96 << 20
        /// Request bodies that wait until they are whole, in memory. A caller may have half of it.
        package var maxBufferedBodies = 256 << 20
        /// Open connections of one process. Each costs one descriptor, and one more for its upstream.
        package var maxConnections = 8192
        /// From the first byte of a request head to its last (slow-loris).
        package var headerTimeout: Duration = .seconds(10)
        /// From a body's head to its end, without the time in which it is not read. At 64 MiB, 2 Mbit/s.
        package var bodyTimeout: Duration = .seconds(300)
        /// A keep-alive connection without a request. Longer than the 60 s of most client pools, so they close first.
        package var idleTimeout: Duration = .seconds(75)
        /// Exit after this long without a connection; nil means never. Applies under socket activation only.
        package var idleExit: Duration? = .seconds(600)
        /// How long SIGTERM waits for answers under way. The unit's TimeoutStopSec is 15 s more.
        package var drainTimeout: Duration = .seconds(30)
        /// Headers of answers that tell callers more than they asked for, as what is left of a limit.
        package var debugHeaders = false
        package var metrics = Metrics()
    }
}

extension Configuration.Server: ConfigurationRoot {
    static let defaults = Self()

    static let settings = own + Configuration.Metrics.settings

    private static let own: [ConfigurationSetting<Self>] = [
        .integer(
            "server.workers", 1...64, \.workers,
            "Event loops; one saturates a core only above about 20,000 requests a second."),
        .custom(
            "server.allowed_hosts", .texts, default: TOMLText.list(defaults.allowedHosts),
            "Further names that a TCP caller's Host header may have."
        ) {
            $0.allowedHosts = $1.names(
                "allowed_hosts", isHost, "a host name",
                hint: "write \"llm.example\" or \"llm.example:8080\", as the Host header has it")
        } shown: {
            TOMLText.list($0.allowedHosts)
        },
        .custom(
            "server.allowed_origins", .texts, default: TOMLText.list(defaults.allowedOrigins),
            "Origins such as \"http://localhost:5173\" whose web pages may call."
        ) {
            $0.allowedOrigins = $1.names(
                "allowed_origins", isOrigin, "an origin",
                hint: "write scheme://host or scheme://host:port without a path, as \"http://localhost:5173\"")
        } shown: {
            TOMLText.list($0.allowedOrigins)
        },
        .boolean(
            "server.unsafe_listen", \.unsafeListen, "Allow `listen` on an address that other machines can reach."),
        .size(
            "server.max_header_bytes", 1 << 10...1 << 20, \.maxHeaderBytes,
            "Limit of a request's line and header fields together."),
        .size("server.max_body_bytes", 1...16 << 30, \.maxBodyBytes, "Limit of a request's body."),
        .size(
            "server.max_buffered_bodies", 1 << 20...1 << 40, \.maxBufferedBodies,
            "Memory of all request bodies that wait until they are whole; one caller gets half of it."),
        .integer(
            "server.max_connections", 1...1_000_000, \.maxConnections,
            "Connections of callers open at the same time."),
        .duration("server.header_timeout", \.headerTimeout, "Time a caller has to send a whole request head."),
        .duration(
            "server.body_timeout", \.bodyTimeout,
            "Time a caller has to send a whole request body; pauses that menshen makes do not count."),
        .duration(
            "server.idle_timeout", \.idleTimeout, "Time a kept-alive connection may stay without a request."),
        .durationOrOff(
            "server.idle_exit", \.idleExit,
            "Exit after this long without a connection, under socket activation only."),
        .duration(
            "server.drain_timeout", \.drainTimeout,
            "Time that answers under way have to finish when menshen is stopped."),
        .boolean(
            "server.debug_headers", \.debugHeaders,
            """
            Tell callers in headers how their answer came about: `x-menshen-provider`, `-attempts`, `-cost` and \
            `-budget-remaining`, and `Server-Timing`.
            """),
    ]

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

extension ConfigurationSection {
    /// Names in lower case; reports those that are none.
    fileprivate func names(
        _ name: String, _ isOne: (String) -> Bool, _ noun: String, hint: String
    ) -> [String] {
        (texts(name) ?? []).compactMap { text in
            if isOne(text.text) { return text.text.lowercased() }
            reading.error(at: text.span, "\(path).\(name): this is not \(noun)", hint: hint)
            return nil
        }
    }
}
