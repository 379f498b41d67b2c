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

    func run() throws {
        let path = file ?? StandardPaths.configuration
        let loaded = ConfigurationFile.load(path)
        for diagnostic in loaded.diagnostics { Terminal.error(diagnostic.description) }
        guard loaded.configuration != nil else { throw ExitCode(Daemon.configurationFault) }
        Terminal.print("\(path): ok")
    }
}

struct ConfigShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Print the configuration in force, defaults included, with every secret masked.")

    @Argument(help: "Configuration file (default: ~/.config/menshen/config.toml).")
    var file: String?

    func run() throws {
        let loaded = ConfigurationFile.load(file ?? StandardPaths.configuration)
        for diagnostic in loaded.diagnostics { Terminal.error(diagnostic.description) }
        guard let configuration = loaded.configuration else { throw ExitCode(Daemon.configurationFault) }
        Terminal.write(ConfigurationRendering.text(of: configuration))
    }
}

struct ConfigInit: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Write a commented configuration, readable by you alone. Never overwrites one.")

    @Argument(help: "File to write (default: ~/.config/menshen/config.toml).")
    var file: String?

    @Flag(name: .long, help: "Print it instead.")
    var print = false

    func run() throws {
        if print { return Terminal.write(ConfigurationExample.text(for: .tcp)) }
        let path = file ?? StandardPaths.configuration
        do {
            if file == nil { try PrivateDirectory.ensure(PrivateDirectory.parent(of: path)) }
            try FileReading.create(path, Array(ConfigurationExample.text(for: .socket).utf8))
        } catch {
            Terminal.error("menshen: \(error)")
            throw ExitCode(73)
        }
        Terminal.print("\(path) written. Next: put a key where its [[providers]] says, then 'menshen config check'.")
    }
}
