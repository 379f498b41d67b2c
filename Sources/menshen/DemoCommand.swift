// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import MenshenDemo

struct DemoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Show what menshen does, on this machine alone and without a key of yours.",
        discussion: """
            Starts a small provider of its own and a daemon in a private temporary directory, sends a plain and a streamed \
            request as a caller that knows no key, and shows what each side saw and what was recorded. Exit code 0 only if \
            every claim it prints was verified. Leaves nothing behind.
            """)

    @Flag(name: .long, help: "Stay up afterwards, until Ctrl-C, to be tried by hand.")
    var keep = false

    @OptionGroup var configuration: ConfigurationOption

    func run() throws {
        if configuration.config != nil {
            throw Terminal.fault("the demo makes a configuration of its own; leave --config out", code: 64)
        }
        do {
            throw ExitCode(try Demo(keeps: keep).run())
        } catch let error as ExitCode {
            throw error
        } catch {
            Terminal.error("menshen: \(error)")
            throw ExitCode(71)
        }
    }
}
