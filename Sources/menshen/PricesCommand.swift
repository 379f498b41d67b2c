// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import Linux
internal import MenshenCore
internal import MenshenDaemon

struct PricesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prices",
        abstract: "Show and set list prices, and compute what recorded requests cost.",
        discussion: """
            menshen carries a table of list prices; prices.toml beside the configuration stands before it. Nothing is ever \
            fetched. A running menshen goes by a changed prices.toml after its next reload.
            """,
        subcommands: [
            PricesList.self, PricesShow.self, PricesCheck.self, PricesImport.self, PricesSet.self, PricesRecompute.self,
            PricesCost.self,
        ])
}

/// What the commands about prices share.
struct PriceOptions: ParsableArguments {
    @OptionGroup var configuration: ConfigurationOption

    /// Beside the configuration, whether that is there or not.
    func path() throws -> String { PriceFile.path(beside: try configuration.path()) }

    /// Prints every fault of `prices.toml` and ends the command if there is one.
    func overlay() throws -> PriceOverlay {
        let loaded = PriceFile.load(beside: try configuration.path())
        for diagnostic in loaded.diagnostics { Terminal.error(diagnostic.description) }
        guard let overlay = loaded.overlay else { throw ExitCode(Daemon.configurationFault) }
        return overlay
    }

    static var now: Int64 { Int64(Clock.wall() / 1_000_000) }
    static var today: PriceDate { PriceDate(seconds: now) }
}

struct PricesList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List who has prices, or the prices of one provider that are in force today.")

    @Argument(help: "A provider of the list.")
    var provider: String?

    @Flag(name: .long, help: "Print JSON, one object a line.")
    var json = false

    @OptionGroup var options: PriceOptions

    func run() throws {
        let overlay = try options.overlay()
        if let provider { try list(provider, overlay) } else { providers(overlay) }
    }

    private func providers(_ overlay: PriceOverlay) {
        let table = PriceTable.shared
        if !json { Terminal.print("\(table.version)\(overlay.version.map { ", prices.toml \($0)" } ?? "")") }
        for name in (Set(table.providers.map(\.name)).union(overlay.providers)).sorted() {
            let listed = table.provider(name)
            let models = Set((table.rows(of: name) + overlay.rows.filter { $0.provider == name }).map(\.model)).count
            let checked = listed?.checked?.description ?? ""
            if json {
                Terminal.print(
                    JSONLine.object([
                        ("provider", .text(name)), ("models", .number(Int64(models))), ("checked", .text(checked)),
                        ("source", .text(listed?.source)),
                    ]))
            } else {
                let count = "\(models) \(models == 1 ? "model" : "models")"
                Terminal.print(
                    "\(name.padded(26)) \(count.padded(12)) \(checked.padded(10)) \(listed?.source ?? "prices.toml")")
            }
        }
    }

    private func list(_ provider: String, _ overlay: PriceOverlay) throws {
        let own = overlay.rows.filter { $0.provider == provider }
        let listed = PriceTable.shared.rows(of: provider)
        guard !own.isEmpty || !listed.isEmpty else {
            throw Terminal.fault(
                "there is no provider '\(provider)' with prices; 'menshen prices list' names them.", code: 64)
        }
        let book = PriceBook(overlay)
        var models: [String] = []
        for row in own + listed where !models.contains(row.model) { models.append(row.model) }
        for model in models.sorted() {
            for variant in [nil] + PriceRow.Variant.allCases.map(Optional.init) {
                guard let row = book.row(provider, model, variant, at: PriceOptions.now) else { continue }
                PriceLineView.print(row, json: json)
            }
        }
    }
}

struct PricesShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show all rows of a model: earlier and later ones, and those of other tiers.")

    @Argument(help: "The model as a request or an answer names it.")
    var model: String

    @Option(name: .long, help: "Of this provider alone.")
    var provider: String?

    @Flag(name: .long, help: "Print JSON, one object a row.")
    var json = false

    @OptionGroup var options: PriceOptions

    func run() throws {
        let overlay = try options.overlay()
        let book = PriceBook(overlay)
        let names =
            provider.map { [$0] } ?? Set(PriceTable.shared.providers.map(\.name)).union(overlay.providers).sorted()
        let rows = names.flatMap { book.rows($0, model) }
        guard !rows.isEmpty else {
            let place = provider.map { " at '\($0)'" } ?? ""
            throw Terminal.fault(
                "there is no price for '\(model)'\(place). 'menshen prices set \(model)' makes one.", code: 1)
        }
        for row in rows { PriceLineView.print(row, json: json) }
    }
}

struct PricesCheck: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract:
            "Warn of prices that are old, or were announced and never looked at since; exit code 1 if there are any.")

    @Flag(name: .long, help: "Check all providers of the table, not only those of the configuration.")
    var all = false

    @OptionGroup var options: PriceOptions

    func run() throws {
        let overlay = try options.overlay()
        let path = try options.configuration.path()
        var names = Set(PriceTable.shared.providers.map(\.name))
        if !all, FileReading.mode(path) != nil {
            names = Set(try options.configuration.load(path).providers.compactMap(\.prices))
        }
        let rows = overlay.rows + names.sorted().flatMap { PriceTable.shared.rows(of: $0) }
        let warnings = PriceCheck.warnings(rows, today: PriceOptions.today)
        for warning in warnings { Terminal.print("warning: \(warning)") }
        if !warnings.isEmpty { throw ExitCode(1) }
        Terminal.print("\(rows.count) rows: ok")
    }
}

/// A row as people or programs read it.
enum PriceLineView {
    static func print(_ row: PriceRow, json: Bool) {
        guard json else {
            var parts = [row.provider.padded(12), row.model.padded(32), (row.variant?.rawValue ?? "").padded(8)]
            if let from = row.effectiveFrom { parts.append("from \(from)") }
            if let window = row.window { parts.append("(\(window) UTC)") }
            parts.append(row.prices.isEmpty ? "not sold" : row.priceText)
            if let checked = row.checked { parts.append("checked \(checked)") }
            return Terminal.print(parts.joined(separator: " "))
        }
        let prices = PriceUnit.allCases.compactMap { unit in
            row.prices[unit].map { (name: unit.rawValue, value: JSONLine.Value.text($0.description)) }
        }
        Terminal.print(
            JSONLine.object(
                [
                    ("provider", .text(row.provider)), ("model", .text(row.model)),
                    ("from", .text(row.effectiveFrom?.description)), ("variant", .text(row.variant?.rawValue)),
                    ("window", .text(row.window?.description)),
                ] + prices + [
                    ("us_percent", .number(row.usPercent.map { Int64($0) })),
                    ("least_seconds", .number(row.leastSeconds.map { Int64($0) })),
                    ("checked", .text(row.checked?.description)), ("source", .text(row.source)),
                ]))
    }
}

extension String {
    func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
