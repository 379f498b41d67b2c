// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import MenshenCore

struct RouteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "route",
        abstract: "Say which provider a request would go to, and why. Nothing is sent.",
        discussion: "Goes by the configuration file; 'menshen status' says which providers are left alone right now.")

    @Flag(name: .long, help: "Accepted, and needless: the command always explains.")
    var explain = false

    @Option(name: .long, help: "Model of the request.")
    var model: String?

    @Option(name: .long, help: "Path of the request.")
    var path = "/v1/chat/completions"

    @Option(
        name: .long,
        help: "Whose SDK sends it, where the path is not one company's: \(Dialect.names()).",
        transform: Self.dialect)
    var sdk = Dialect.common

    @OptionGroup var configuration: ConfigurationOption

    func run() throws {
        let loaded = try configuration.load(configuration.path())
        guard let explanation = RouteExplanation(loaded, path: path, model: model, sender: sdk) else {
            Self.exit(
                withError: ValidationError(
                    "'\(path)' is not forwarded: a path begins with \"/\" and has no '.' or '..' segment"))
        }
        Terminal.write(explanation.text)
        if !explanation.isAnswered { throw ExitCode(1) }
    }

    private static func dialect(_ text: String) throws -> Dialect {
        guard let dialect = Dialect(rawValue: text) else {
            throw ValidationError("Write \(Dialect.names()).")
        }
        return dialect
    }
}
