// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import Linux
internal import MenshenDaemon

/// The menshen that a command speaks to, over its Unix socket.
struct RunningMenshen: ParsableArguments {
    @OptionGroup var daemon: DaemonOption
    @OptionGroup var configuration: ConfigurationOption

    /// Ends the command with the fault and what to do about it: exit code 1 for a refusal, 69 where nobody answers.
    func ask<Answer>(_ body: (_ socket: String) throws -> Answer) throws -> Answer {
        let path = try daemon.path()
        do {
            return try body(path)
        } catch let refusal as AdminClient.Refusal {
            throw Terminal.fault(refusal.message, code: 1)
        } catch {
            throw Terminal.fault(try advice(path)(error), code: 69)
        }
    }

    /// Tells of a fault in asking the socket at `path`, with the next command to type.
    func advice(_ path: String) throws -> @Sendable (any Error) -> String {
        let file = try configuration.path()
        let isOwnSocket = daemon.socket != nil
        return { error in
            guard let error = error as? SystemError, error.isNobodyThere else { return "\(error)" }
            if FileReading.mode(file) == nil {
                return
                    "nobody listens on \(path), and there is no configuration at \(file). Begin with 'menshen config init'."
            }
            let there = isOwnSocket ? " there" : ""
            return "nobody listens on \(path). Start it\(there): \(Self.start(path, isOwnSocket))."
        }
    }

    /// What to type. `isOwnSocket`: it was named, so no unit listens there.
    static func start(_ path: String, _ isOwnSocket: Bool) -> String {
        isOwnSocket
            ? "'menshen serve --socket \(path)'"
            : "'systemctl --user enable --now menshen.socket', or 'menshen serve'"
    }
}
