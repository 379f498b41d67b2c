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
    func ask(_ body: (_ socket: String) throws -> [UInt8]) throws -> [UInt8] {
        let path = try daemon.path()
        do {
            return try body(path)
        } catch let refusal as AdminClient.Refusal {
            throw Terminal.fault(refusal.message, code: 1)
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
