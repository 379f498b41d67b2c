// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import Linux
internal import MenshenDaemon

/// The command line. Flags of ai-menshen, single-dashed, are turned into ours first.
@main
struct Menshen: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "menshen",
        abstract: "Keeps the API keys of LLM providers behind a door, and lets local programs use them.",
        discussion: """
            Start it by its socket:  systemctl --user enable --now menshen.socket
            then:                    curl --unix-socket $XDG_RUNTIME_DIR/menshen/menshen.sock http://localhost/v1/models
            See it work without a key of your own:  menshen demo
            """,
        version: Version.line,
        subcommands: [
            Serve.self,
            StatusCommand.self,
            DoctorCommand.self,
            TopCommand.self,
            UsageCommand.self,
            LogsCommand.self,
            ShowCommand.self,
            StatuslineCommand.self,
            RouteCommand.self,
            PolicyCommand.self,
            TokenCommand.self,
            ConfigCommand.self,
            PricesCommand.self,
            ExportCommand.self,
            AuditCommand.self,
            KeyCommand.self,
            CacheCommand.self,
            DashboardCommand.self,
            DemoCommand.self,
        ])

    static func main() {
        StandardStream.openMissing()
        let arguments = ArticleForms.translate(Array(CommandLine.arguments.dropFirst()))
        if let hint = Hints.hint(for: arguments) {
            Terminal.error(hint)
            exit(withError: ExitCode.validationFailure)
        }
        main(arguments)
    }
}
