// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

extension Configuration {
    /// The `metrics_…` keys of `[server]`.
    package struct Metrics: Sendable, Equatable {
        /// A listener of its own, without the API. nil: metrics are to be had on the others.
        package var listen: ListenAddress?
        /// For node_exporter's textfile collector; nil: no file is written.
        package var file: String?
        /// Each costs a scraper some 60 series for a model, and two for a caller.
        package var maxNames = 100
    }
}

extension Configuration.Metrics {
    static let settings: [ConfigurationSetting<Configuration.Server>] = [
        .custom(
            "server.metrics_listen", .text, sample: "\":9464\"",
            "TCP address that shows metrics and health without a token, and nothing else.", read: readListen
        ) {
            $0.metrics.listen.map { TOMLText.quoted($0.description) }
        },
        .path(
            "server.metrics_file", \.metrics.file, sample: "\"/var/lib/prometheus/node-exporter/menshen.prom\"",
            "File that gets the metrics every 15 s, for node_exporter's textfile collector."),
        .integer(
            "server.metrics_max_names", 1...10_000, \.metrics.maxNames,
            "Models, and callers, that have metrics of their own; the others are counted together as `other`."),
    ]

    /// Whoever can reach it sees models, callers and cost. Stands behind `unsafe_listen`, which it needs to know.
    @Sendable private static func readListen(_ server: inout Configuration.Server, _ section: ConfigurationSection) {
        guard let text = section.text("metrics_listen") else { return }
        guard let address = ListenAddress(text.text) else {
            return section.reading.error(
                at: text.span, "server.metrics_listen: this is not an address to listen on",
                hint: "write \":9464\", \"127.0.0.1:9464\" or \"[::1]:9464\"")
        }
        if address.isLoopback || server.unsafeListen { return server.metrics.listen = address }
        section.reading.error(
            at: text.span, "server.metrics_listen: other machines can reach this address, and it asks for no token",
            hint: "listen on loopback (\":\(address.port)\"), or set unsafe_listen = true in [server]")
    }
}
