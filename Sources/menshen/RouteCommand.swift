// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import MenshenCore
internal import MenshenDaemon

struct RouteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "route",
        abstract: "Say which provider a request would go to, and why. Nothing is sent.",
        discussion: "Goes by the configuration file; 'menshen status' says which providers are left alone right now.")

    @Flag(name: .long, help: "What this command does in any case.")
    var explain = false

    @Option(name: .long, help: "Model of the request.")
    var model: String?

    @Option(name: .long, help: "Path of the request.")
    var path = "/v1/chat/completions"

    @Option(name: .long, help: "Configuration file (default: ~/.config/menshen/config.toml).")
    var config: String?

    func run() throws {
        let loaded = ConfigurationFile.load(config ?? StandardPaths.configuration)
        for diagnostic in loaded.diagnostics { Terminal.error(diagnostic.description) }
        guard let configuration = loaded.configuration else { throw ExitCode(Daemon.configurationFault) }
        guard let explanation = RouteExplanation(configuration, path: path, model: model) else {
            throw ValidationError(
                "'\(path)' is no path that is forwarded: it begins with \"/\" and has no '.' or '..' segment")
        }
        Terminal.write(explanation.text)
        if !explanation.isAnswered { throw ExitCode(1) }
    }
}
