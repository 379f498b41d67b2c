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

    @Option(name: .long, help: "Its Unix socket (default: $XDG_RUNTIME_DIR/menshen/menshen.sock).")
    var socket: String?

    @Flag(name: .long, help: "Print JSON, with the last requests.")
    var json = false

    func run() throws {
        guard let path = socket ?? StandardPaths.socket else {
            throw ValidationError("XDG_RUNTIME_DIR is not set; say where the socket is with --socket")
        }
        do {
            let page = try SurfaceClient.status(socket: path, as: json ? "application/json" : "text/plain")
            Terminal.write(String(decoding: page, as: UTF8.self))
        } catch {
            Terminal.error("menshen: \(error)")
            throw ExitCode(69)
        }
    }
}
