// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import MenshenDaemon

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show what the running menshen is, and what it knows of each provider.",
        discussion: "Under socket activation the question starts it, if it is not running.")

    @Flag(name: .long, help: "Print JSON, with the last requests.")
    var json = false

    @OptionGroup var running: RunningMenshen

    func run() throws {
        let page = try running.ask { try AdminClient.status(socket: $0, as: json ? "application/json" : "text/plain") }
        Terminal.write(String(decoding: page, as: UTF8.self))
        if !json, running.daemon.socket == nil, let warning = TCPUnit.warning() { Terminal.print("\n" + warning) }
    }
}
