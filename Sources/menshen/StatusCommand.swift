// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import Linux
internal import MenshenDaemon

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show what the running menshen is, and what it knows of each provider.",
        discussion: "Under socket activation the question starts it, if it is not running.")

    @Flag(name: .long, help: "Print JSON, with the last requests.")
    var json = false

    @OptionGroup var daemon: DaemonOption
    @OptionGroup var configuration: ConfigurationOption

    func run() throws {
        let path = try daemon.path()
        do {
            let page = try AdminClient.status(socket: path, as: json ? "application/json" : "text/plain")
            Terminal.write(String(decoding: page, as: UTF8.self))
            if !json, daemon.socket == nil, let warning = TCPUnit.warning() { Terminal.print("\n" + warning) }
        } catch {
            throw Terminal.fault(try explained(error, path), code: 69)
        }
    }

    /// The fault, and the next command to type.
    private func explained(_ error: any Error, _ path: String) throws -> String {
        guard let error = error as? SystemError, error.isNobodyThere else { return "\(error)" }
        let file = try configuration.path()
        if FileReading.mode(file) == nil {
            return
                "nobody listens on \(path), and there is no configuration at \(file). Begin with 'menshen config init'."
        }
        if daemon.socket != nil {
            return "nobody listens on \(path). Start it there: 'menshen serve --socket \(path)'."
        }
        return
            "nobody listens on \(path). Start it: 'systemctl --user enable --now menshen.socket', or 'menshen serve'."
    }
}
