// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import MenshenCore
internal import MenshenDaemon

struct CacheCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cache", abstract: "Throw stored answers away.", subcommands: [CacheClear.self])
}

struct CacheClear: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clear", abstract: "Throw all stored answers away, of every caller.",
        discussion: "The running menshen does it, over its Unix socket, for its own user and for root.")

    @OptionGroup var running: RunningMenshen

    func run() throws {
        let count = try running.ask { try AdminClient.clearCache(socket: $0) }
        Terminal.print("\(Figures.counted(count, "stored answer")) thrown away.")
    }
}
