// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
package import MenshenCore

/// Looks at the place of each provider's key without waiting for the first request. No key command is run.
package enum KeySourceCheck {
    /// A sentence for each provider whose key could not be had now, and what it would cost.
    package static func warnings(_ configuration: Configuration) -> [String] {
        configuration.providers.compactMap { provider in
            fault(of: provider).map {
                "provider '\(provider.name)': \($0) Its requests would be answered 503 key_unavailable."
            }
        }
    }

    /// A sentence on why its key could not be had now; nil as well for one that is switched off.
    package static func fault(of provider: Provider) -> String? {
        provider.turn.weight > 0 ? fault(provider.key) : nil
    }

    private static func fault(_ source: KeySource) -> String? {
        switch source {
        case .none, .inline, .pool: nil
        case .file(let path): fault(ofFile: path, isCredential: false)
        case .credential(let name):
            Environment.value("CREDENTIALS_DIRECTORY").flatMap { fault(ofFile: $0 + "/" + name, isCredential: true) }
        case .command(let argv, _, _): fault(ofCommand: argv.first ?? "")
        }
    }

    private static func fault(ofFile path: String, isCredential: Bool) -> String? {
        do {
            _ = try SecretFile.read(path, isCredential: isCredential, called: "The key file ")
            return nil
        } catch {
            return "\(error)\("\(error)".hasSuffix(".") ? "" : ".")"
        }
    }

    private static func fault(ofCommand program: String) -> String? {
        if program.contains("/") {
            return FileReading.isExecutable(program)
                ? nil : "The key command \(program) is not there, or not executable."
        }
        let directories = (Environment.value("PATH") ?? "/usr/bin:/bin").split(separator: ":")
        let isFound = directories.contains { FileReading.isExecutable("\($0)/\(program)") }
        return isFound ? nil : "The key command '\(program)' is in none of the directories of PATH."
    }
}
