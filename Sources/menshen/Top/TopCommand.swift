// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import Linux
internal import MenshenCore
internal import MenshenDaemon

struct TopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Show what goes on right now: requests under way, providers, limits.",
        discussion: """
            On a terminal it goes on until q or Ctrl-C. Keys: space pauses; a, c, m, p, o sort by age, caller, model, provider,
            output, r the other way round; arrows scroll. Into a pipe, and with --once, it prints one table.
            It asks the running menshen alone, keeps it from nothing, and starts none.
            """)

    @Option(name: [.customShort("n"), .long], help: "Seconds between looks.")
    var interval = 1.0
    @Flag(name: .long, help: "Look once, and print a table.")
    var once = false
    @Flag(name: .long, help: "Print what menshen answers, a JSON object a look.")
    var json = false

    @OptionGroup(title: "Appearance") var look: StyleOptions
    @Option(name: .long, help: "Time zone of the clock: local, UTC or a name (default: local).")
    var timezone: String?
    @OptionGroup var running: RunningMenshen

    mutating func validate() throws {
        guard interval >= 0.1, interval <= 86_400 else {
            throw ValidationError("--interval must be between 0.1 and 86400 seconds.")
        }
    }

    private var pause: UInt64 { UInt64(interval * 1_000_000) }

    func run() throws {
        let place = try running.daemon.place()
        if json { return try printJSON(TopSource(place)) }
        let zone = try RecordsOption.zone(timezone) ?? ZoneFile.rules("local") ?? .utc
        if once || !StandardStream.output.isTerminal || Environment.value("TERM") == "dumb" {
            return try printTable(TopSource(place), zone)
        }
        var screen = TopScreen(look, zone)
        try screen.run(TopWatch(place, pause: pause))
    }

    private func printTable(_ source: TopSource, _ zone: ZoneRules) throws {
        var source = source
        var picture = TopPicture()
        picture.take(source.look())
        if let away = picture.away { throw Terminal.fault(away, code: 69) }
        for line in TopView(style: look.style, zone: zone, rows: nil).lines(picture) { Terminal.print(line) }
    }

    /// Until Ctrl-C, or until nobody reads.
    private func printJSON(_ source: TopSource) throws {
        var source = source
        ProcessSignal.endOnInterrupt()
        let signal = ThreadSignal()
        while true {
            var line: [UInt8]
            switch source.look() {
            case .page(let page): line = page
            case .away(let why) where once: throw Terminal.fault(why, code: 69)
            case .away(let why):
                let members: [(name: String, value: JSONLine.Value)] = [
                    ("schema", .text("menshen.live.v1")), ("state", .text("away")), ("reason", .text(why)),
                ]
                line = Array((JSONLine.object(members) + "\n").utf8)
            }
            guard StandardStream.output.write(line), !once else { return }
            signal.wait(pause)
        }
    }
}
