// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import MenshenCore
internal import MenshenDaemon

/// `menshen usage --budgets`: limits and what is left of them, as the running menshen knows it.
struct UsageBudgets {
    /// A limit of `GET /_menshen/usage`.
    struct Pot {
        var kind = ""
        var name = ""
        var limit = ""
        var measure = ""
        var amount: Int64 = 0
        var spent: Int64 = 0
        var reserved: Int64 = 0
        var remaining: Int64 = 0
        var resetsAt: String?
        var isKnown = true

        var isMoney: Bool { measure == Limit.Measure.money.rawValue }
        var share: Int64 { amount <= 0 ? 0 : spent > Int64.max / 1000 ? 1000 : spent * 1000 / amount }
        /// "ci token", "instance".
        var holder: String { kind == "instance" ? "instance" : "\(ShownName.clean(name)) \(kind)" }

        func text(_ value: Int64) -> String {
            isMoney ? Figures.money(Money(picodollars: value)) : Figures.tokens(value)
        }

        /// "$1.75 a day", "12M tokens a day".
        var limitText: String {
            let unit = isMoney ? "" : " " + measure.split(separator: "_").joined(separator: " ")
            let window = limit.split(separator: "/", maxSplits: 1).dropFirst().first.map(String.init)
            let words = window.map {
                $0.hasSuffix("rolling") ? " in \($0.dropLast(8))" : $0 == "hour" ? " an hour" : " a \($0)"
            }
            return text(amount) + unit + (words ?? "")
        }
    }

    private let command: UsageCommand

    init(_ command: UsageCommand) { self.command = command }

    func run() throws {
        var running = RunningMenshen()
        running.daemon = command.daemon
        running.configuration = command.records.configuration
        let body = try running.ask {
            try AdminClient.ask(socket: $0, "GET", AdminClient.usage, as: "application/json")
        }
        if command.json { return Terminal.write(String(decoding: body, as: UTF8.self)) }
        let (pots, zone) = Self.read(body)
        if command.csv { return Terminal.write(Self.csv(body)) }
        if pots.isEmpty {
            return Terminal.print(
                "There are no limits. [limits] in the configuration sets some, and 'menshen token create NAME --budget 5usd/day'."
            )
        }
        let style = command.look.style
        Self.table(pots.sorted { $0.share > $1.share }).print(style)
        guard style.width != nil else { return }
        Terminal.print("")
        Terminal.print(
            style.plain("! from 80% of a limit; ▒ reserved by requests under way; days end at 00:00 \(zone)"))
    }

    static func table(_ pots: [Pot]) -> ReportTable {
        var table = ReportTable([
            .init(title: "Pot", least: 12), .init(title: "Limit", least: 10), .init(title: "Used", isNumber: true),
            .init(title: "Spent", isNumber: true, rank: 3), .init(title: "Reserved", isNumber: true, rank: 4),
            .init(title: "Left", isNumber: true), .init(title: "Resets", rank: 1),
        ])
        (table.hasBars, table.barPlace) = (true, 2)
        table.rows = pots.map(row)
        return table
    }

    /// Behind the zone the members of a limit, its holder first.
    private static let members: [StaticString] = [
        "limits[].holder", "limits[].name", "limits[].limit", "limits[].measure", "limits[].amount", "limits[].spent",
        "limits[].reserved", "limits[].remaining", "limits[].resets_at", "limits[].is_known",
    ]

    private static func findings(_ body: [UInt8]) -> [JSONFinding] {
        var scanner = JSONScanner(JSONPaths(["timezone"] + members), textLimit: 4096)
        scanner.feed(body.span)
        return scanner.found
    }

    /// The members as they stand in JSON; nothing for null.
    private static func csv(_ body: [UInt8]) -> String {
        var rows: [[JSONFinding?]] = []
        for finding in findings(body) where finding.path > 0 {
            if finding.path == 1 { rows.append(Array(repeating: nil, count: members.count)) }
            if !rows.isEmpty { rows[rows.count - 1][finding.path - 1] = finding }
        }
        let names = members.map { "\($0)".split(separator: ".")[1] }
        var output = Array(names.joined(separator: ",").utf8) + .csvEnd
        for row in rows {
            for (place, finding) in row.enumerated() {
                if place > 0 { output.append(UInt8(ascii: ",")) }
                switch finding?.kind {
                case .string: output.append(csv: finding?.string ?? "")
                case .number: output += finding?.text ?? []
                case .true: output += "true".utf8
                case .false: output += "false".utf8
                case .null, .object, .array, nil: break
                }
            }
            output += .csvEnd
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static func row(_ pot: Pot) -> ReportTable.Row {
        let isNear = pot.share >= 800
        let used = Figures.share(pot.spent, of: pot.amount) + (isNear ? "!" : "")
        let ink: ReportStyle.Ink? = pot.share >= 1000 ? .red : isNear ? .yellow : nil
        return ReportTable.Row(
            cells: [
                .init(pot.holder), .init(pot.limitText), .init(pot.isKnown ? used : "?", ink),
                .init(pot.text(pot.spent)),
                .init(pot.reserved == 0 ? "" : pot.text(pot.reserved)), .init(pot.text(pot.remaining)),
                .init(pot.resetsAt.map(resetText) ?? ""),
            ],
            bar: min(1000, pot.share), barRest: pot.amount > 0 ? min(1000 - min(1000, pot.share), share(pot)) : 0)
    }

    private static func share(_ pot: Pot) -> Int64 {
        pot.reserved > Int64.max / 1000 ? 1000 : pot.reserved * 1000 / pot.amount
    }

    /// "2026-12-01T00:00:00+01:00" as its day and time there.
    private static func resetText(_ stamp: String) -> String {
        let parts = stamp.split(separator: "T")
        guard parts.count == 2 else { return stamp }
        let time = parts[1].prefix(5)
        return time == "00:00" ? String(parts[0]) : "\(parts[0]) \(time)"
    }

    static func read(_ body: [UInt8]) -> (pots: [Pot], zone: String) {
        var pots: [Pot] = []
        var zone = ""
        for finding in findings(body) {
            if finding.path == 0 { zone = finding.string ?? "" }
            if finding.path == 1 { pots.append(Pot(kind: finding.string ?? "")) }
            guard finding.path > 1, !pots.isEmpty else { continue }
            let last = pots.count - 1
            switch finding.path {
            case 2: pots[last].name = finding.string ?? ""
            case 3: pots[last].limit = finding.string ?? ""
            case 4: pots[last].measure = finding.string ?? ""
            case 5: pots[last].amount = amount(finding, pots[last])
            case 6: pots[last].spent = amount(finding, pots[last])
            case 7: pots[last].reserved = amount(finding, pots[last])
            case 8: pots[last].remaining = amount(finding, pots[last])
            case 9: pots[last].resetsAt = finding.string
            default: pots[last].isKnown = finding.boolean ?? true
            }
        }
        return (pots, zone)
    }

    /// Money is written in dollars, everything else as it is.
    private static func amount(_ finding: JSONFinding, _ pot: Pot) -> Int64 {
        guard pot.isMoney else { return finding.count ?? 0 }
        return Money(dollars: String(decoding: finding.text, as: UTF8.self))?.picodollars ?? 0
    }
}
