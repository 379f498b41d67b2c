// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import Linux
internal import MenshenCore
internal import MenshenDaemon
internal import MenshenStore

struct PricesRecompute: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recompute",
        abstract: "Compute anew what recorded requests cost, from the usage that is recorded with them.",
        discussion: """
            May be run as often as one likes, also beside a running menshen. What the provider itself said stays, and so do \
            rows of providers that the configuration doesn't have any more.
            """)

    @Option(name: .long, help: "First day, in UTC, as in 2026-11-01.")
    var since: String

    @Flag(name: .long, help: "Print JSON.")
    var json = false

    @OptionGroup var options: PriceOptions

    func run() throws {
        guard let day = PriceDate(since) else {
            throw Terminal.fault("--since must be a day, as in 2026-11-01.", code: 64)
        }
        let loaded = try options.configuration.load(options.configuration.path())
        let outcome: CostRecalculation.Outcome
        do {
            let path = try loaded.storage.path ?? StandardPaths.database()
            outcome = try CostRecalculation.run(
                path, since: day.seconds * 1_000_000, book: PriceBook(loaded.prices),
                providers: Dictionary(loaded.providers.map { ($0.name, $0.prices) }) { one, _ in one })
        } catch let fault as StoreFault {
            throw Terminal.fault("the database can't be used: \(fault.reason). \(fault.advice)", code: 69)
        } catch {
            throw Terminal.fault("\(error)", code: 69)
        }
        if json {
            return Terminal.print(
                JSONLine.object([
                    ("examined", .number(Int64(outcome.examined))), ("changed", .number(Int64(outcome.changed))),
                    ("without_provider", .number(Int64(outcome.withoutProvider))),
                ]))
        }
        Terminal.print("\(outcome.examined) rows since \(day): \(outcome.changed) changed.")
        if outcome.withoutProvider > 0 {
            Terminal.print(
                "\(outcome.withoutProvider) stayed as they are: the configuration doesn't have their provider.")
        }
    }
}

struct PricesCost: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cost",
        abstract: "Say what requests cost: a JSON object with provider, model and usage a line on standard input.",
        discussion: """
            Names are those of the database's columns: {"provider": "openai", "model": "gpt-5", "input_total": 1000, \
            "output_total": 200, "service_tier": "flex", "time": 1764288000}. The provider is that of the prices. An answer \
            for each, in picodollars.
            """)

    @OptionGroup var options: PriceOptions

    func run() throws {
        let book = PriceBook(try options.overlay())
        let now = PriceOptions.now
        while let line = readLine() {
            guard let request = PricedRequest(json: line) else {
                throw Terminal.fault("a line is no JSON object with a provider: \(line.prefix(80))", code: 65)
            }
            let cost = book.cost(
                provider: request.provider, answerModel: request.model, askedModel: request.askedModel,
                facts: request.facts, at: request.time ?? now)
            Terminal.print(
                JSONLine.object([
                    ("cost", .number(cost.amount?.picodollars)), ("usd", .text(cost.amount?.dollars)),
                    ("cost_state", .text(cost.state.rawValue)), ("cost_reason", .text(cost.reason)),
                    ("saved", .number(cost.saved?.picodollars)),
                ]))
        }
    }
}
