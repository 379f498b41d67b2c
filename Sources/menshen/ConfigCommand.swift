// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import Linux
internal import MenshenCore
internal import MenshenDaemon

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Check, show or write the configuration.",
        subcommands: [ConfigCheck.self, ConfigShow.self, ConfigInit.self])
}

struct ConfigCheck: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Print every fault of the configuration with its place; exit code 78 if there is one.")

    @Argument(help: "Configuration file (default: ~/.config/menshen/config.toml).")
    var file: String?

    @OptionGroup var configuration: ConfigurationOption

    func run() throws {
        let path = try configuration.path(or: file)
        var used: [String] = []
        let loaded = try configuration.load(path) { if !used.contains($0) { used.append($0) } }
        for warning in KeySourceCheck.warnings(loaded) + TLSFilesCheck.warnings(loaded) {
            Terminal.error("\(path): warning: \(warning)")
        }
        for name in UserManager.unseen(used) {
            let (message, hint) = UserManager.unseenWords(name)
            Terminal.error("\(path): warning: \(message)\n  hint: \(hint)")
        }
        Terminal.print("\(path): ok")
    }
}

struct ConfigShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Print the configuration in force, defaults included, with every secret masked.")

    @Argument(help: "Configuration file (default: ~/.config/menshen/config.toml).")
    var file: String?

    @OptionGroup var configuration: ConfigurationOption

    func run() throws {
        let loaded = try configuration.load(configuration.path(or: file))
        Terminal.write(ConfigurationRendering.text(of: loaded))
    }
}

struct ConfigInit: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Write a commented configuration, readable by you alone. Never overwrites one.")

    @Argument(help: "File to write (default: ~/.config/menshen/config.toml).")
    var file: String?

    @Flag(name: .long, help: "Print it instead.")
    var print = false

    @OptionGroup var configuration: ConfigurationOption

    func run() throws {
        if print { return Terminal.write(ConfigurationExample.text(for: .tcp)) }
        let path = try configuration.path(or: file)
        do {
            if file == nil, configuration.config == nil {
                try PrivateDirectory.ensure(PrivateDirectory.parent(of: path))
            }
            try FileReading.create(path, Array(ConfigurationExample.text(for: .socket).utf8))
        } catch {
            throw Terminal.fault("\(error)", code: 73)
        }
        Terminal.print(
            "\(path) written. Next: 'menshen key set NAME' for its [[providers]], then 'menshen config check'.")
    }
}
