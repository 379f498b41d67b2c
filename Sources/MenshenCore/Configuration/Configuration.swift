// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import Crypto

/// Everything a running menshen is told, as one immutable value. A default stands once, here, with its reason.
package struct Configuration: Sendable {
    /// TCP addresses to listen on, besides what systemd hands over and the Unix socket of `--socket`.
    package var listen: [ListenAddress] = []
    /// Debug-level lines on stderr and in the journal.
    package var verbose = false
    package var server = Server()
    package var authentication = Authentication()
    package var providers: [Provider] = []
    package var upstream = Upstream()
    package var failover = Failover()
    package var storage = Storage()
    package var logging = Logging()
    package var cache = Cache()

    package init() {}

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
    }

    /// `[auth]`: who may call over TCP, and who may look at the page.
    package struct Authentication: Sendable {
        package var enable = true
        /// User and password of the status page at `/` (Basic); without a password the page is closed on TCP.
        package var user: String?
        package var password: Secret?
        package var tokens: [NamedToken] = []
        /// Tokens and the password that stand elsewhere, until they have been read.
        package var places: [SecretPlace] = []

        /// There is a token, or will be as soon as its place has been read.
        package var hasToken: Bool { !tokens.isEmpty || places.contains { $0.use != .password } }
    }

    package struct NamedToken: Sendable {
        /// What records and reports call the caller; the token itself is never stored.
        package var name: String
        package let secret: Secret
        package let digest: Digest

        package init(name: String, secret: Secret) {
            self.name = name
            self.secret = secret
            digest = secret.digest
        }
    }

    /// A file or a credential that holds a token or the password.
    package struct SecretPlace: Sendable, Equatable {
        package enum Use: Sendable, Equatable {
            case password
            case token(name: String)
        }

        package enum Source: Sendable, Equatable {
            case file(path: String)
            case credential(name: String)
        }

        package let use: Use
        package let source: Source
        /// Of the setting, such as "auth.token_file", and where it stands.
        package let key: String
        package let line: Int
        package let column: Int
    }

    /// `[upstream]`: timers and connection reuse of all providers.
    package struct Upstream: Sendable, Equatable {
        /// TCP and TLS set-up. Two SYN retransmissions take 3 s; a distant TLS handshake takes about one.
        package var connectTimeout: Duration = .seconds(10)
        /// From the request's last byte to the answer's first. The SDKs give up after 600 s themselves.
        package var firstByteTimeout: Duration = .seconds(600)
        /// Between two bytes of an answer. Thinking models fall silent for minutes; providers ping every 15 to 60 s.
        package var gapTimeout: Duration = .seconds(300)
        /// The whole exchange; nil because a total limit cuts long streams.
        package var totalTimeout: Duration?
        /// Idle upstream connections kept for reuse.
        package var maxIdleConnections = 256
    }

    /// `[failover]`: what happens when a provider fails before anything of its answer went down.
    package struct Failover: Sendable, Equatable {
        /// Another provider that fits is asked; off, only other keys of the same one are.
        package var enable = true
        /// For all tries together. The SDKs give up after 600 s themselves.
        package var deadline: Duration = .seconds(600)
        /// How long the head of a stream is held while it may still turn out to be an error. Responses and Messages
        /// begin with events that promise nothing; longer than this, a caller would miss them.
        package var hold: Duration = .seconds(3)
        /// Larger request bodies are not kept for a second try. An agent's context has 400 KB.
        package var maxBodyBytes = 2 << 20
        /// A provider that says how long to wait (429, 5xx with Retry-After) gets no requests for so long.
        package var obeyRetryAfter = true
        /// Failures in a row after which a provider is left alone; 0: never. One bad request rarely fails so often.
        package var breakerFailures = 5
        /// Longest pause of a provider that goes on failing; it begins with 1 s and doubles.
        package var breakerPause: Duration = .seconds(30)
    }

    /// Every secret that it holds itself: keys, AWS's session tokens, secret headers, passwords of proxies, proxy tokens and
    /// the page's password.
    package var secrets: [Secret] {
        providers.flatMap(\.secrets) + authentication.tokens.map(\.secret)
            + [authentication.password].compactMap { $0 }
    }

    /// `[storage]` and `[storage.sqlite]`.
    package struct Storage: Sendable, Equatable {
        /// nil: the state directory's menshen.db.
        package var path: String?
        /// Rows older than this are deleted; nil keeps them for ever. 90 days hold a billing quarter.
        package var retentionDays: Int? = 90
    }

    /// `[cache]`: answers given again to the same request.
    package struct Cache: Sendable, Equatable {
        /// Off: a program that asks twice may want a second opinion.
        package var enable = false
        /// Oldest answer that is given again; set whenever `enable` is. There is no default: only whoever turns the cache
        /// on knows when an answer is too old.
        package var maxAge: Duration?
        /// Largest answer that is kept, as it goes to the caller. 5 MiB, as in ai-menshen: a stream of about 16,000 tokens
        /// at some 300 bytes each, or vectors for a few hundred texts.
        package var maxBodyBytes = 5 << 20
        /// All answers together. Some hundred long streams or ten thousands of short answers, and little beside what
        /// else lies in ~/.cache.
        package var maxBytes = 256 << 20
        package var scope = CacheScope.caller
        /// Requests that are the same and come at the same time wait for one answer. Off: the first one's failure would
        /// be everybody's.
        package var coalesce = false
        /// nil: the cache directory's cache.db.
        package var path: String?
    }

    /// `[logging]`: bodies are prompts, so they are stored only when asked for.
    package struct Logging: Sendable, Equatable {
        package var logRequestBody = false
        package var logResponseBody = false
        /// Stored part of a body; the rest is counted, not kept.
        package var maxBodyBytes = 256 << 10
    }
}
