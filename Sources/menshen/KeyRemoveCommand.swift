// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import Linux
internal import MenshenCore
internal import MenshenDaemon

struct KeyRemove: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Delete the file that holds a provider's key, and have menshen forget the key.",
        discussion: "The key itself stays valid: revoke it at the provider if somebody may have seen it.")

    @Argument(help: "The provider's name.")
    var name: String

    @OptionGroup var daemon: DaemonOption
    @OptionGroup var configuration: ConfigurationOption

    func run() throws {
        let named = try NamedProvider(name, configuration)
        let path: String
        switch named.provider.key {
        case .file(let file): path = file
        case .none: path = named.defaultPlace
        case .inline, .pool, .credential, .command: throw named.unwritable("delete")
        }
        do {
            // Only what is a key, as `menshen key set` writes it, is deleted.
            _ = try SecretFile.read(path, isCredential: false)
            try PrivateFile.remove(path)
        } catch {
            throw Terminal.fault("nothing was deleted: \(error)", code: 73)
        }
        daemon.record(KeyAct(.remove, name))
        Terminal.print("\(path) deleted.")
        if case .file = named.provider.key { Terminal.print(daemon.reload()) }
    }
}
