// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import MenshenCore
internal import MenshenDaemon

struct KeyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Set, list, test or remove the providers' keys. Never shows one.",
        subcommands: [KeySet.self, KeyList.self, KeyTest.self, KeyRemove.self])
}

/// A provider of the configuration, by the name that records and `/NAME/…` paths give it.
struct NamedProvider {
    let provider: Provider
    /// Path of the configuration.
    let configuration: String

    init(_ name: String, _ option: ConfigurationOption) throws {
        configuration = try option.path()
        let providers = try option.load(configuration).providers
        guard let provider = providers.first(where: { $0.name == name }) else {
            let names = providers.map(\.name)
            let near = NearName.of(name, among: names).map { " Did you mean '\($0)'?" } ?? ""
            throw Terminal.fault(
                "there is no provider '\(name)' in \(configuration), but: \(names.joined(separator: ", ")).\(near)",
                code: 64)
        }
        self.provider = provider
    }

    var defaultPlace: String { KeyInventory.defaultPlace(of: provider.name, configuration: configuration) }

    /// Ends the command for a source that is no place to write to.
    func unwritable(_ verb: String) -> ExitCode {
        let line = "api_key_file = \(TOMLText.quoted(defaultPlace))"
        let source =
            switch provider.key {
            case .none, .file: "nowhere"
            case .inline: "api_key in \(configuration)"
            case .pool: "api_keys in \(configuration)"
            case .credential(let name): "the systemd credential '\(name)'"
            case .command(let argv, _, _): "the command '\(argv.first ?? "")'"
            }
        return Terminal.fault(
            "provider '\(provider.name)' takes its key from \(source), which is not a file to \(verb). "
                + "To have it in a file, write \(line) in its place.", code: 78)
    }
}
