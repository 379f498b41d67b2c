// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import TOML

/// A configuration, or every reason why the text is none; warnings come with either.
package struct DecodedConfiguration: Sendable {
    /// nil if any diagnostic is an error.
    package var configuration: Configuration?
    /// By place in the text.
    package var diagnostics: [Diagnostic]

    package init(configuration: Configuration?, diagnostics: [Diagnostic]) {
        self.configuration = configuration
        self.diagnostics = diagnostics
    }
}

/// Text to `Configuration`. Pure: variables come from a function, files named in the text are not looked at.
package enum ConfigurationDecoder {
    /// `file` is shown in diagnostics, and relative paths in the text start from its directory.
    package static func decode(
        _ text: String, file: String, environment: (String) -> String?
    ) -> DecodedConfiguration { decode(Array(text.utf8), file: file, environment: environment) }

    /// The bytes of a file; what is not UTF-8 becomes a diagnostic.
    package static func decode(
        _ bytes: [UInt8], file: String, environment: (String) -> String?
    ) -> DecodedConfiguration {
        withoutActuallyEscaping(environment) { environment in
            let reading = ConfigurationReading(file: file, environment: environment)
            let root: TOMLTable
            do throws(TOMLError) {
                root = try TOMLDocument.parse(bytes)
            } catch {
                // The likeliest slip: a text without quotes.
                let isBare = error.message.hasPrefix("value:") || error.message.hasPrefix("boolean:")
                reading.error(
                    at: error.span, "this is not TOML: \(error.message)",
                    hint: isBare ? "put text between double quotes" : nil)
                return DecodedConfiguration(configuration: nil, diagnostics: reading.sorted())
            }
            let top = ConfigurationSection(path: "", table: root, span: nil, reading: reading)
            UnknownKeys.check(top)
            let configuration = configuration(top)
            return DecodedConfiguration(
                configuration: reading.hasErrors ? nil : configuration, diagnostics: reading.sorted())
        }
    }

    private static func configuration(_ top: ConfigurationSection) -> Configuration {
        var configuration = Configuration()
        set(&configuration.verbose, top.boolean("verbose"))
        configuration.server = server(top.section("server"))
        let auth = top.section("auth")
        configuration.authentication = authentication(auth)
        configuration.listen = listen(
            top, configuration,
            hasToken: configuration.authentication.hasToken || auth.has("token") || auth.has("tokens"))
        configuration.providers = providers(top)
        configuration.upstream = upstream(top.section("upstream"), older: top.section("http_client"))
        configuration.failover = failover(top.section("failover"))
        warnOfSmallCaps(top, configuration)
        configuration.storage = storage(top.section("storage"))
        configuration.logging = logging(top.section("logging"))
        configuration.cache = cache(top.section("cache"))
        return configuration
    }

    /// Leaves the default where the text says nothing usable.
    static func set<Value>(_ field: inout Value, _ value: Value?) {
        if let value { field = value }
    }

    private static func listen(
        _ top: ConfigurationSection, _ configuration: Configuration, hasToken: Bool
    ) -> [ListenAddress] {
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
        let remarks = ListenRule.remarks(
            on: addresses, isAuthenticating: configuration.authentication.enable, hasToken: hasToken,
            unsafeListen: configuration.server.unsafeListen)
        for remark in remarks {
            top.reading.report(
                remark.severity, at: spans[remark.address], "listen: \(remark.message)", hint: remark.hint)
        }
        return addresses
    }

    /// Workers share nothing, so each has its part of a provider's places.
    private static func warnOfSmallCaps(_ top: ConfigurationSection, _ configuration: Configuration) {
        let workers = configuration.server.workers
        for section in top.sections("providers") {
            guard let limit = section.integer("max_concurrent"), limit < workers else { continue }
            top.reading.error(
                at: section.valueSpan("max_concurrent"),
                "providers[].max_concurrent is less than server.workers, which share it",
                hint: "give it at least \(workers), or fewer workers")
        }
    }
}
