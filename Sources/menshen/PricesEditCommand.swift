// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import Linux
internal import MenshenCore
internal import MenshenDaemon

struct PricesSet: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Write a model's prices into prices.toml; other rows and comments stay as they are.",
        discussion: """
            Prices are dollars as lists have them: for a million tokens, an hour of sound, a thousand calls. \
            "3>200000:6" is 3, and 6 for the whole request if its input is above 200,000 tokens.
            """)

    @Argument(help: "The model.")
    var model: String

    @Option(name: .long, help: "Whose price it is: what [[providers]] prices says.")
    var provider: String

    @Option(name: .long, help: "Price of input.")
    var input: String?

    @Option(name: .long, help: "Price of output.")
    var output: String?

    @Option(name: .long, help: "Price of input that comes from a cache.")
    var cached: String?

    @Option(name: .long, help: "Price of input that is written to a cache.")
    var write: String?

    @Option(name: .long, help: "Price of another unit, as in web_search=10; may be given several times.")
    var price: [String] = []

    @Option(name: .long, help: "First day on which it holds, as in 2026-11-27.")
    var from = ""

    @Option(name: .long, help: "Tier it is for: batch, flex, priority or fast.")
    var variant = ""

    @Option(name: .long, help: "Hours it is for, in UTC, as in \"Mon-Fri 01:00-04:00\".")
    var window = ""

    @Option(name: .long, help: "Where it stands.")
    var source = "menshen prices set"

    @OptionGroup var options: PriceOptions

    func run() throws {
        let path = try options.path()
        let row: PriceRow
        do throws(PriceFault) { row = try self.row() } catch {
            throw Terminal.fault("\(error.key) \(error.message)\(error.hint.map { "; \($0)" } ?? "").", code: 64)
        }
        guard !row.prices.isEmpty else {
            throw Terminal.fault("no price is given: say --input, --output, --cached, --write or --price.", code: 64)
        }
        _ = try options.overlay()
        let old = PriceFileEdit.text(path)
        guard let new = PriceOverlayText.setting(row, in: old) else {
            throw Terminal.fault("the row in \(path) can't be changed by this command; change it there.", code: 65)
        }
        try PriceFileEdit.replace(path, new)
        Terminal.print(
            "\(path): \(row.provider) \(row.model) \(row.priceText). A running menshen goes by it after a reload.")
    }

    private func row() throws(PriceFault) -> PriceRow {
        var named = [("input", input), ("output", output), ("cached", cached), ("write", write)].compactMap {
            unit, text in
            text.map { (unit, $0) }
        }
        for text in price {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            named.append((String(parts[0]), parts.count == 2 ? String(parts[1]) : ""))
        }
        return try PriceRow.read(
            provider: provider, model: model, from: from, variant: variant, window: window, prices: named,
            checked: PriceOptions.today, source: source)
    }
}

struct PricesImport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Check a file of prices and make it prices.toml.",
        discussion: """
            The file is TOML as prices.toml is, or a table as contrib/prices/generate writes it (its name ends in .tsv). \
            It takes the place of the prices.toml that is there, which is kept as prices.toml.old.
            """)

    @Argument(help: "The file.")
    var file: String

    @OptionGroup var options: PriceOptions

    func run() throws {
        let path = try options.path()
        let bytes: [UInt8]
        do { bytes = try FileReading.bytes(file, limit: PriceFile.limit) } catch {
            throw Terminal.fault("\(error)", code: 66)
        }
        var text = String(decoding: bytes, as: UTF8.self)
        var diagnostics: [Diagnostic] = []
        if file.hasSuffix(".tsv") {
            let read = PriceTable.rows(of: text, file: file)
            diagnostics = read.diagnostics
            text = PriceOverlayText.text(of: read.rows)
        }
        // What is written must be readable, wherever it came from.
        let name = file.hasSuffix(".tsv") ? path : file
        let read = PriceOverlay.decode(Array(text.utf8), file: name)
        if diagnostics.isEmpty { diagnostics = read.diagnostics }
        for diagnostic in diagnostics { Terminal.error(diagnostic.description) }
        guard diagnostics.isEmpty, let overlay = read.overlay else { throw ExitCode(65) }
        let old = PriceFileEdit.text(path)
        if !old.isEmpty, old != text { try PriceFileEdit.replace(path + ".old", old) }
        try PriceFileEdit.replace(path, text)
        Terminal.print("\(path): \(overlay.rows.count) rows. A running menshen goes by them after a reload.")
    }
}

enum PriceFileEdit {
    /// Empty if there is none.
    static func text(_ path: String) -> String {
        (try? FileReading.bytes(path, limit: PriceFile.limit)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    static func replace(_ path: String, _ text: String) throws {
        do {
            try PrivateDirectory.ensure(PrivateDirectory.parent(of: path))
            try FileReplacement.write(path, Array(text.utf8))
        } catch {
            throw Terminal.fault("\(error)", code: 73)
        }
    }
}
