// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import MenshenCore
internal import MenshenDaemon

/// `--config`, which every command takes.
struct ConfigurationOption: ParsableArguments {
    @Option(name: .long, help: "Configuration file (default: ~/.config/menshen/config.toml).")
    var config: String?

    /// `other`: the same as an argument, where a command has one.
    func path(or other: String? = nil) throws -> String {
        if let path = other ?? config { return path }
        do { return try StandardPaths.configuration() } catch { throw Terminal.fault("\(error)", code: 78) }
    }

    /// Prints every fault of the file and ends the command if there is one.
    func load(_ path: String, used: (String) -> Void = { _ in }) throws -> Configuration {
        let loaded = ConfigurationFile.load(path, isCheck: true, used: used)
        for diagnostic in loaded.diagnostics { Terminal.error(diagnostic.description) }
        guard let configuration = loaded.configuration else { throw ExitCode(Daemon.configurationFault) }
        return configuration
    }
}
