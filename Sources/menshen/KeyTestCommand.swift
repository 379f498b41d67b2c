// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import Linux
internal import MenshenCore
internal import MenshenDaemon

struct KeyTest: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Ask a provider, with the key in use, what costs nothing, and say what came back.",
        discussion: """
            The question goes through the running menshen, which has the key, and is recorded as any other. Exit code 1 if the key did not work.
            """)

    @Argument(help: "The provider's name.")
    var name: String

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    @OptionGroup var daemon: DaemonOption
    @OptionGroup var configuration: ConfigurationOption

    func run() throws {
        let named = try NamedProvider(name, configuration)
        let socket = try daemon.path()
        let probe: ProviderProbe
        do {
            // To a menshen that does not know the name, it would be the beginning of a path.
            guard try AdminClient.instance(socket: socket).providers.contains(name) else {
                throw Terminal.fault(
                    "the running menshen knows no provider '\(name)'. Reload it: 'systemctl --user reload menshen'.",
                    code: 69)
            }
            probe = try ProviderProbe.run(named.provider, socket: socket)
        } catch let error as ExitCode {
            throw error
        } catch let error as SystemError where error.isNobodyThere {
            throw Terminal.fault("nobody listens on \(socket). 'menshen status' says how to start it.", code: 69)
        } catch {
            throw Terminal.fault("\(error)", code: 69)
        }
        let keys = KeyInventory.entries(named.provider, configuration: named.configuration)
        Terminal.print(json ? Self.json(name, probe, keys) : Self.text(name, probe, keys))
        if probe.verdict != .works { throw ExitCode(1) }
    }

    private static func text(_ name: String, _ probe: ProviderProbe, _ keys: [KeyEntry]) -> String {
        let said = probe.message.isEmpty ? "" : ": \(probe.message)"
        let came = "answered \(probe.status) in \(probe.milliseconds) ms\(said)"
        let outcome =
            switch probe.verdict {
            case .works: "works: the provider \(came)"
            case .refused: "is refused: the provider \(came)"
            case .limited: "is limited: the provider \(came)"
            case .unclear: "may work or not: the provider \(came)"
            case .unreachable: "could not be tried: the provider cannot be reached\(said)"
            case .notAsked: "could not be tried: menshen \(came)"
            }
        return "\(name): \(words(keys)) \(outcome)\nThe request's record is \(probe.requestID)."
    }

    /// Which key was in use, as far as this process can see it.
    private static func words(_ keys: [KeyEntry]) -> String {
        guard let key = keys.first else { return "its key" }
        if keys.count > 1 { return "the one of its \(keys.count) keys that is in use" }
        let fingerprint = key.fingerprint.map { ", \($0)," } ?? ""
        return key.source == "none"
            ? "no key is configured, and asking without one"
            : "the key of \(key.source) \(key.place ?? "")\(fingerprint)"
    }

    private static func json(_ name: String, _ probe: ProviderProbe, _ keys: [KeyEntry]) -> String {
        let only = keys.count == 1 ? keys[0] : nil
        return JSONLine.object([
            ("provider", .text(name)), ("verdict", .text(probe.verdict.rawValue)),
            ("status", .number(Int64(probe.status))),
            ("message", .text(probe.message.isEmpty ? nil : probe.message)), ("ms", .number(Int64(probe.milliseconds))),
            ("request_id", .text(probe.requestID)), ("from", .text(keys.first?.source)), ("place", .text(only?.place)),
            ("fingerprint", .text(only?.fingerprint)),
        ])
    }
}
