// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import TOML

/// Everything a running menshen is told, as one immutable value. A default stands once, where its section is
/// declared, with its reason.
package struct Configuration: Sendable {
    /// TCP addresses to listen on, besides what systemd hands over and the Unix socket of `--socket`.
    package var listen: [ListenAddress] = []
    /// Debug-level lines on stderr and in the journal.
    package var verbose = false
    package var server = Server()
    package var authentication = Authentication()
    /// The first that matches decides.
    package var callers: [CallerRule] = []
    package var providers: [Provider] = []
    package var upstream = Upstream()
    package var failover = Failover()
    package var storage = Storage()
    package var logging = Logging()
    package var cache = Cache()
    /// Of `prices.toml`, which is read along with it.
    package var prices = PriceOverlay()
    package var limits = Limits()
    package var telemetry = Telemetry()

    package init() {}

    /// Every secret that it holds itself: keys, AWS's session tokens, secret headers, passwords of proxies, proxy tokens, the
    /// page's password and the headers of telemetry.
    package var secrets: [Secret] {
        providers.flatMap(\.secrets) + authentication.tokens.map(\.secret)
            + [authentication.password].compactMap { $0 } + telemetry.secrets
    }
}

/// The keys that stand before the first table.
extension Configuration: ConfigurationRoot {
    static let defaults = Self()

    static let settings: [ConfigurationSetting<Self>] = [
        .custom(
            "listen", .textOrTexts, sample: "\":8080\"",
            "TCP address to listen on, or an array of them; \":8080\" is loopback, IPv4 and IPv6."
        ) {
            TOMLText.list($0.listen.map(\.description))
        },
        .boolean("verbose", \.verbose, "Debug lines on stderr or in the journal: one for each request."),
    ]

    /// Which addresses are allowed depends on `[auth]` and `[server]`.
    @Sendable static func readListen(_ configuration: inout Configuration, _ top: ConfigurationSection) {
        var addresses: [ListenAddress] = []
        var spans: [SourceSpan] = []
        for text in top.texts("listen") ?? [] {
            guard let address = ListenAddress(text.text) else {
                top.reading.error(
                    at: text.span, "listen: this is not an address to listen on",
                    hint: "write \":8080\", \"127.0.0.1:8080\" or \"[::1]:8080\"")
                continue
            }
            let isTaken = addresses.contains { other in
                other.port == address.port && other.addresses.contains { address.addresses.contains($0) }
            }
            if isTaken {
                top.reading.error(at: text.span, "listen: an earlier entry covers this address and port")
            } else {
                addresses.append(address)
                spans.append(text.span)
            }
        }
        let auth = top.section("auth")
        let hasToken =
            configuration.authentication.hasToken || auth.has("token") || auth.has("tokens")
            || !addresses.isEmpty && top.reading.issuesTokens(configuration)
        let remarks = ListenRule.remarks(
            on: addresses, isAuthenticating: configuration.authentication.enable,
            hasToken: hasToken, unsafeListen: configuration.server.unsafeListen)
        for remark in remarks {
            top.reading.report(
                remark.severity, at: spans[remark.address], "listen: \(remark.message)", hint: remark.hint)
        }
        configuration.listen = addresses
    }
}
