// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import Linux
internal import MenshenCore
internal import MenshenDaemon

struct KeyList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Show where each provider's key comes from, and a fingerprint of it.")

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    @OptionGroup var configuration: ConfigurationOption

    func run() throws {
        let path = try configuration.path()
        let providers = try configuration.load(path).providers
        let entries = providers.flatMap { KeyInventory.entries($0, configuration: path) }
        if json { return Terminal.print("[\(entries.map(Self.json).joined(separator: ","))]") }
        let titles = ["PROVIDER", "KEY", "FROM", "PLACE", "MODE", "CHANGED", "FINGERPRINT"]
        for line in TextTable.lines([titles] + entries.map(Self.cells)) { Terminal.print(line) }
        for entry in entries {
            if let trouble = entry.trouble {
                Terminal.error("menshen: provider '\(entry.provider)' has no key: \(trouble)")
            }
        }
        for provider in providers {
            let place = KeyInventory.defaultPlace(of: provider.name, configuration: path)
            if case .file(place) = provider.key { continue }
            if FileReading.mode(place) == nil { continue }
            Terminal.error(
                "menshen: \(place) is there, but provider '\(provider.name)' does not use it: write api_key_file = \(TOMLText.quoted(place))"
            )
        }
    }

    private static func cells(_ entry: KeyEntry) -> [String] {
        [
            entry.provider, entry.number.map { "\($0)" } ?? "-", entry.source, entry.place ?? "-",
            entry.mode.map(FileMode.text) ?? "-", entry.changed.map(LocalTime.text) ?? "-",
            entry.fingerprint ?? (entry.trouble == nil ? "-" : "no key"),
        ]
    }

    private static func json(_ entry: KeyEntry) -> String {
        JSONLine.object([
            ("provider", .text(entry.provider)), ("key", .number(entry.number.map { Int64($0) })),
            ("from", .text(entry.source)),
            ("place", .text(entry.place)), ("mode", .text(entry.mode.map(FileMode.text))),
            ("changed", .number(entry.changed.map { $0 / 1_000_000 })), ("fingerprint", .text(entry.fingerprint)),
            ("trouble", .text(entry.trouble)),
        ])
    }
}
