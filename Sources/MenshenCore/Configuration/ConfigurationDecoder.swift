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

/// Text to `Configuration`. Pure: variables come from a function, files named in the text are not looked at. `priceProviders`:
/// names that `[[providers]] prices` may have beside those that menshen knows; nil: any.
package enum ConfigurationDecoder {
    /// `file` is shown in diagnostics, and relative paths in the text start from its directory.
    package static func decode(
        _ text: String, file: String, priceProviders: Set<String>? = [], environment: (String) -> String?
    ) -> DecodedConfiguration {
        decode(Array(text.utf8), file: file, priceProviders: priceProviders, environment: environment)
    }

    /// The bytes of a file; what is not UTF-8 becomes a diagnostic. `issuesTokens` is asked where the text has no token but
    /// needs one: there may be some that were given out.
    package static func decode(
        _ bytes: [UInt8], file: String, priceProviders: Set<String>? = [],
        issuesTokens: @escaping (Configuration) -> Bool = { _ in false }, environment: (String) -> String?
    ) -> DecodedConfiguration {
        withoutActuallyEscaping(environment) { environment in
            let reading = ConfigurationReading(
                file: file, priceProviders: priceProviders, environment: environment, issuesTokens: issuesTokens)
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
        for part in ConfigurationPart.all { part.read(&configuration, top) }
        for part in ConfigurationPart.all { part.check(&configuration, top) }
        return configuration
    }
}
