// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import MenshenCore
internal import MenshenDaemon

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Look at everything that menshen needs, and say of each fault what to do about it.",
        discussion: """
            Changes nothing, starts nothing that sleeps, and asks no provider unless told to by --online. Exit code 1 if a check \
            has failed.
            """)

    @Flag(
        name: .long,
        help:
            "Ask each provider, with its key, what costs nothing, as 'menshen key test' does; a sleeping menshen starts."
    )
    var online = false
    @Flag(name: .long, help: "Print JSON.")
    var json = false
    @Option(name: .long, help: "Database of records (default: the configuration's).")
    var database: String?

    @OptionGroup var look: StyleOptions
    @OptionGroup var daemon: DaemonOption
    @OptionGroup var configuration: ConfigurationOption

    func run() throws {
        let findings = DoctorVisit(self).findings
        func count(_ state: Finding.State) -> Int64 { Int64(findings.count { $0.state == state }) }
        if json {
            let head = JSONLine.object([
                ("schema", .text("menshen.doctor.v1")), ("version", .text(Version.text)), ("ok", .number(count(.fine))),
                ("warn", .number(count(.warning))), ("fail", .number(count(.failed))),
            ])
            Terminal.print(head.dropLast() + ",\"checks\":[" + findings.map(\.json).joined(separator: ",\n") + "]}")
        } else {
            let style = look.style
            for line in findings.flatMap({ $0.lines(style) }) { Terminal.print(line) }
            Terminal.print("")
            Terminal.print(
                "\(Figures.counted(Int64(findings.count), "check")): \(count(.fine)) fine, "
                    + "\(count(.warning)) to look at, \(count(.failed)) failed")
            if !online { Terminal.print("No provider was asked; 'menshen doctor --online' does that.") }
        }
        if count(.failed) > 0 { throw ExitCode(1) }
    }
}

/// What all checks begin with: the configuration as it is read now, and the menshen that runs with it, if one does.
struct DoctorVisit {
    let command: DoctorCommand
    /// nil: nobody knows where it would be.
    let file: String?
    let configuration: Configuration?
    let diagnostics: [Diagnostic]
    /// Variables of the environment that it uses.
    let used: [String]
    let daemon: DaemonState

    init(_ command: DoctorCommand) {
        self.command = command
        file = command.configuration.config ?? (try? StandardPaths.configuration())
        var names: [String] = []
        let decoded = file.map { file in
            ConfigurationFile.load(file, isCheck: true) { if !names.contains($0) { names.append($0) } }
        }
        (configuration, diagnostics, used) = (decoded?.configuration, decoded?.diagnostics ?? [], names)
        daemon = DaemonState(command.daemon, mayStart: command.online)
    }

    /// What the running one says of itself.
    var status: DaemonStatus? {
        if case .answers(let status) = daemon { return status }
        return nil
    }

    var findings: [Finding] {
        let records = RecordsCheck(self)
        return [version] + SocketCheck(self).findings + ConfigurationCheck(self).findings + KeysCheck(self).findings
            + ProvidersCheck(self).findings + records.findings + BudgetsCheck(self).findings + TCPCheck(self).findings
    }

    private var version: Finding {
        guard let running = status?.look.version, running != Version.text else {
            // Its libraries are those of 'menshen --version'.
            return .fine("Version", Version.line.prefix { $0 != ")" } + ")")
        }
        return .warning(
            "Version", "this is menshen \(Version.text), and \(running) runs",
            "'systemctl --user restart menshen.service' runs the one that is installed")
    }
}
