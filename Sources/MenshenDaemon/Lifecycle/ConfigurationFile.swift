// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
package import MenshenCore
internal import MenshenStore

/// Reads a configuration file whole and has it decoded.
package enum ConfigurationFile {
    /// Far more than any configuration; a mistaken path to a huge file ends here.
    private static let limit = 1 << 20

    /// `isCheck`: by a command, which may lack what a service has. `used` hears of each variable that is filled in.
    package static func load(
        _ path: String, isCheck: Bool = false, used: (String) -> Void = { _ in }
    ) -> DecodedConfiguration {
        do {
            let bytes = try FileReading.bytes(path, limit: limit)
            var names: [String] = []
            let prices = PriceFile.load(beside: path)
            var decoded = ConfigurationDecoder.decode(
                bytes, file: path, priceProviders: prices.overlay?.providers, issuesTokens: holdsToken
            ) { name in
                names.append(name)
                return Environment.value(name)
            }
            for name in names { used(name) }
            decoded.diagnostics += prices.diagnostics
            if let overlay = prices.overlay {
                decoded.configuration?.prices = overlay
            } else {
                decoded.configuration = nil
            }
            if let warning = exposure(path, decoded.configuration) { decoded.diagnostics.append(warning) }
            readSecrets(&decoded, path, isCheck: isCheck)
            CallerAccounts.resolve(&decoded, path)
            readZone(&decoded, path)
            return decoded
        } catch {
            let hint = error.code == FileReading.notFound ? "'menshen config init' writes a commented one there" : nil
            return DecodedConfiguration(
                configuration: nil,
                diagnostics: [
                    Diagnostic(.error, file: path, line: 0, column: 0, message: "cannot be read: \(error)", hint: hint)
                ])
        }
    }

    /// Whether tokens were given out by a menshen with such a configuration.
    private static func holdsToken(_ configuration: Configuration) -> Bool {
        guard let database = try? configuration.storage.path ?? StandardPaths.database() else { return false }
        return AccessStore.holdsToken(AccessStore.path(besides: database))
    }

    /// Reads what `[auth]` has in files and credentials. One that cannot be read is a fault of the configuration.
    private static func readSecrets(_ decoded: inout DecodedConfiguration, _ path: String, isCheck: Bool) {
        guard var authentication = decoded.configuration?.authentication else { return }
        var isFaulty = false
        for place in authentication.places {
            if isCheck, case .credential = place.source, Environment.value("CREDENTIALS_DIRECTORY") == nil { continue }
            do {
                let secret = try read(place.source)
                switch place.use {
                case .password: authentication.password = secret
                case .token(let name):
                    if let same = authentication.tokens.first(where: { $0.digest == secret.digest }) {
                        throw SecretFile.Fault(description: "holds the same token as '\(same.name)'")
                    }
                    authentication.tokens.append(.init(name: name, secret: secret))
                }
            } catch {
                isFaulty = true
                decoded.diagnostics.append(
                    Diagnostic(
                        .error, file: path, line: place.line, column: place.column, message: "\(place.key): \(error)"))
            }
        }
        decoded.configuration?.authentication = authentication
        if isFaulty { decoded.configuration = nil }
    }

    private static func read(_ source: Configuration.SecretPlace.Source) throws -> Secret {
        let file: String
        var isCredential = false
        switch source {
        case .file(let path): file = path
        case .credential(let name):
            guard let directory = Environment.value("CREDENTIALS_DIRECTORY") else {
                throw SecretFile.Fault(
                    description:
                        "there are no systemd credentials here; LoadCredential=\(name):FILE in the unit makes one")
            }
            (file, isCredential) = (directory + "/" + name, true)
        }
        return try SecretFile.read(file, isCredential: isCredential).secret
    }

    /// A zone that is not there is a fault of the configuration: nobody could say when a limit starts anew.
    private static func readZone(_ decoded: inout DecodedConfiguration, _ path: String) {
        guard let name = decoded.configuration?.limits.timezone else { return }
        if let zone = ZoneFile.rules(name) {
            decoded.configuration?.limits.zone = zone
            return
        }
        decoded.configuration = nil
        decoded.diagnostics.append(
            Diagnostic(
                .error, file: path, line: 0, column: 0, message: "limits.timezone: this system has no such time zone",
                hint:
                    "write \"UTC\", \"local\", or a name below /usr/share/zoneinfo such as \"Europe/Berlin\"; in a container it may need the package tzdata"
            ))
    }

    /// A key in a file that others may read is no secret.
    private static func exposure(_ path: String, _ configuration: Configuration?) -> Diagnostic? {
        guard let configuration, let mode = FileReading.mode(path), mode & 0o077 != 0 else { return nil }
        let holdsKey = configuration.providers.contains { !$0.key.inlineKeys.isEmpty }
        guard holdsKey else { return nil }
        return Diagnostic(
            .warning, file: path, line: 0, column: 0,
            message: "other users may read this file (mode 0\(String(mode, radix: 8)))",
            hint: "chmod 600 \(path)")
    }
}

extension DecodedConfiguration {
    /// The first fault, for a place that holds one sentence.
    var firstFault: String {
        diagnostics.first { $0.severity == .error }.map {
            let place = $0.line > 0 ? "\($0.file):\($0.line):\($0.column)" : $0.file
            return "\(place): \($0.message)."
        } ?? ""
    }
}
