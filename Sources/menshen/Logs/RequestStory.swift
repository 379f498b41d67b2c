// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenStore

/// `menshen show`: the whole story of one request.
struct RequestStory {
    private let detail: RequestDetail
    private let style: ReportStyle
    private let zone: ZoneRules
    /// By which its cost can be taken apart; nil where the configuration does not say whose prices its provider has.
    private let prices: (book: PriceBook, provider: String)?

    private var record: RequestRecord { detail.record }

    init(_ detail: RequestDetail, _ style: ReportStyle, _ zone: ZoneRules, prices: (book: PriceBook, provider: String)?)
    {
        (self.detail, self.style, self.zone, self.prices) = (detail, style, zone, prices)
    }

    func lines() -> [String] {
        var lines = [headline, ""]
        for (title, text) in facts where !text.isEmpty {
            let parts = wrapped(text, indent: 10)
            for (index, part) in parts.enumerated() {
                let label = index == 0 ? style.painted(title.padded(10), .dim) : String(repeating: " ", count: 10)
                lines.append(label + part)
            }
        }
        let falls = waterfall
        if !falls.isEmpty { lines += [""] + falls }
        let cost = costLines
        if !cost.isEmpty { lines += [""] + cost }
        if detail.requestBodyBytes != nil || detail.responseBodyBytes != nil {
            let kept = [
                detail.requestBodyBytes.map { _ in "--request" },
                detail.responseBodyBytes.map { _ in "--response | --events" },
            ].compactMap(\.self).joined(separator: " | ")
            lines += ["", "Bodies are kept: menshen show \(record.id) \(kept)"]
        }
        return lines.map(style.plain)
    }

    private var headline: String {
        let words = OutcomeWords(record)
        let time = ZonedTime(record.id.microseconds / 1_000_000, in: zone)
        let milliseconds = "\(1000 + record.id.microseconds / 1000 % 1000)".dropFirst()
        let status = record.answered.status.map { "\($0) " } ?? ""
        let end = style.painted("\(style.sign(words.mark)) \(status)\(words.words)", words.ink)
        let cost = record.cost.flatMap { $0.state == .none ? nil : $0.amount }.map { ", \(Figures.cost($0))" } ?? ""
        return
            "\(style.painted(record.id.description, .bold))  \(end)\(cost), \(time.dayName) \(time.day) \(time.shortMonth) \(time.year) \(time.clockWithSeconds).\(milliseconds) \(time.offsetName)"
    }

    // MARK: Facts

    private var facts: [(title: String, text: String)] {
        [
            ("Caller", callerText), ("Program", programText), ("Rule", record.caller.rule.map(ShownName.clean) ?? ""),
            ("Asked", askedText), ("Answered", answeredText),
            ("Problem", record.answered.problem.map(ShownName.clean) ?? ""),
            ("Cache", cacheText),
        ]
    }

    private func list(_ parts: [String?]) -> String {
        parts.compactMap(\.self).filter { !$0.isEmpty }.joined(separator: ", ")
    }

    private var callerText: String {
        if record.count > 1 { return "\(Figures.count(record.count)) requests without a valid token, summed up" }
        let caller = record.caller
        var names = NameBook()
        let user = caller.uid.map { uid in
            let name = names.name("\(uid)", of: .user)
            return name.hasPrefix("uid ") ? name : "\(name) (uid \(uid))"
        }
        return list([
            caller.token.map { "token \(ShownName.clean($0))" }, user, caller.executable.map(ShownName.clean),
            caller.pid.map { "pid \($0)" }, caller.unit.map(ShownName.clean),
            caller.job.map { "job \(ShownName.clean($0))" },
            caller.address == "unix" ? nil : caller.address.map { "from \(ShownName.clean($0))" },
        ])
    }

    private var programText: String {
        let caller = record.caller
        return list([
            caller.client.map(ShownName.clean), caller.session.map { "session \(ShownName.clean($0))" },
            caller.agent.map { "agent \(ShownName.clean($0))" },
            caller.project.map { "project \(ShownName.clean($0))" },
            caller.endUser.map { "for \(ShownName.clean($0))" },
        ])
    }

    private var askedText: String {
        let asked = record.asked
        return list([
            [asked.method, asked.path].compactMap { $0.map(ShownName.clean) }.joined(separator: " "),
            asked.model.map(ShownName.clean), asked.isStream == true ? "stream" : nil,
            asked.tier.map { "tier \(ShownName.clean($0))" },
            asked.bytes.map { Figures.bytes($0) },
        ])
    }

    private var answeredText: String {
        let answered = record.answered
        let who =
            list([answered.model.map(ShownName.clean)]) + (answered.provider.map { " by \(ShownName.clean($0))" } ?? "")
        return list([
            who.drop { $0 == " " }.isEmpty ? nil : String(who.drop { $0 == " " }),
            answered.tier.map { "tier \(ShownName.clean($0))" },
            answered.speed.map { "speed \(ShownName.clean($0))" }, answered.finishReason.map(ShownName.clean),
            answered.messagesIn.map { "\($0) messages in, \(answered.messagesOut ?? 0) out" },
            answered.bytes.map { Figures.bytes($0) },
        ])
    }

    private var cacheText: String {
        guard let cache = record.cache, cache.state != "bypass" else { return "" }
        let saved = list([
            cache.savedInput.map { "\(Figures.tokens($0)) tokens in" },
            cache.savedOutput.map { "\(Figures.tokens($0)) out" },
            cache.state == "hit" ? record.cost?.saved.map(Figures.cost) : nil,
        ])
        return list([cache.state, cache.source.map { "answer of \($0)" }, saved.isEmpty ? nil : "saved \(saved)"])
    }

    private func wrapped(_ text: String, indent: Int) -> [String] {
        guard let width = style.width else { return [text] }
        let narrow = ReportStyle(width: max(20, width - indent), hasColour: false, isASCII: style.isASCII)
        return narrow.wrapped(text).enumerated().map { $0.offset == 0 ? $0.element : String($0.element.dropFirst(2)) }
    }

    // MARK: Times

    private struct Step {
        let name: String
        let start: Int64
        let end: Int64
        /// Nothing came down meanwhile.
        let isWaiting: Bool
        let note: String
    }

    private var steps: [Step] {
        guard let total = record.answered.totalMicroseconds, record.count == 1 else { return [] }
        var steps: [Step] = []
        if let first = detail.attempts.first, first.startedMicroseconds > 0 {
            steps.append(Step(name: "Admitted", start: 0, end: first.startedMicroseconds, isWaiting: false, note: "ok"))
        }
        for attempt in detail.attempts {
            let key = attempt.key.map { ", key \($0)" } ?? ""
            let isOK = attempt.reason == "ok"
            let reason = attempt.reason.split(separator: "_").joined(separator: " ")
            let note = list([attempt.status.map { "\($0)" }, isOK ? nil : reason, attempt.model.map(ShownName.clean)])
            steps.append(
                Step(
                    name: "\(attempt.number) \(ShownName.clean(attempt.provider))\(key)",
                    start: attempt.startedMicroseconds,
                    end: attempt.endedMicroseconds, isWaiting: !isOK, note: note))
        }
        if let first = record.answered.firstByteMicroseconds {
            steps.append(
                Step(
                    name: "Relayed", start: first, end: total, isWaiting: false,
                    note: record.answered.bytes.map { Figures.bytes($0) } ?? ""))
        }
        return steps
    }

    private var waterfall: [String] {
        let steps = steps
        guard !steps.isEmpty, let total = record.answered.totalMicroseconds else { return [] }
        let names = steps.map { ShownName.cut($0.name, to: 22, mark: style.ellipsis) }
        let nameWidth = max(8, names.map(ShownName.width).max() ?? 8)
        let plot = style.width.map { max(8, min(60, $0 - nameWidth - 44)) } ?? 0
        let end = Figures.duration(total)
        let ruler = plot == 0 ? "" : "0" + String(repeating: " ", count: max(1, plot - 1 - end.count)) + end
        var lines = [
            style.painted(
                "".padded(nameWidth) + (plot == 0 ? "" : "  " + ruler.padded(plot)) + "  " + "From".leftPadded(9) + "  "
                    + "Lasted".leftPadded(9) + "  Outcome", .dim)
        ]
        for (step, name) in zip(steps, names) {
            lines.append(
                name + String(repeating: " ", count: nameWidth - ShownName.width(name))
                    + (plot == 0 ? "" : "  " + bar(step, total, plot)) + "  "
                    + (step.start == 0 ? "0" : Figures.duration(step.start)).leftPadded(9) + "  "
                    + Figures.duration(step.end - step.start).leftPadded(9) + "  " + step.note)
        }
        return lines.map { line in String(line.reversed().drop { $0 == " " }.reversed()) }
    }

    private func bar(_ step: Step, _ total: Int64, _ width: Int) -> String {
        let whole = max(1, total)
        let start = min(width - 1, Int(step.start * Int64(width) / whole))
        let end = min(width, max(start + 1, Int(step.end * Int64(width) / whole)))
        let sign = step.isWaiting ? (style.isASCII ? "." : "░") : style.isASCII ? "#" : "█"
        return String(repeating: " ", count: start) + String(repeating: sign, count: end - start)
            + String(repeating: " ", count: width - end)
    }

    // MARK: Cost

    private var costLines: [String] {
        let usage = record.usage
        guard let cost = record.cost, cost.state != .none || usage.isCounted else {
            return usage.isCounted ? tokenLines : []
        }
        guard let amount = cost.amount else {
            let state = cost.reason.map { ": \(ShownName.clean($0))" } ?? ""
            return tokenLines + wrapped("Cost not known\(state)", indent: 0)
        }
        if cost.state == .provider { return tokenLines + ["Cost $\(amount.dollars), as the provider says"] }
        if let statement = statement(amount) { return statement }
        let version = cost.priceVersion.map { " by prices \($0)" } ?? ""
        return tokenLines + [
            "Cost $\(amount.dollars)\(version)\(cost.state == .partial ? ", by when it broke off" : "")"
        ]
    }

    private var tokenLines: [String] {
        let usage = record.usage
        let parts: [(String, Int64?)] = [
            ("Input", usage.inputTotal), ("of it read from a cache", usage.cacheRead),
            ("written to a cache", usage.cacheWrite),
            ("Output", usage.outputTotal), ("of it reasoning", usage.reasoning),
        ]
        let text = parts.compactMap { name, count in count.map { "\(name) \(Figures.count($0))" } }.joined(
            separator: ", ")
        if text.isEmpty { return [] }
        return wrapped(text, indent: 10).enumerated().map {
            ($0.offset == 0 ? "Tokens    " : "          ") + $0.element
        }
    }

    /// The cost in its parts, if they make what is recorded.
    private func statement(_ amount: Money) -> [String]? {
        guard let prices else { return nil }
        var facts = PricedFacts(
            usage: record.usage, usageState: record.usageState.flatMap { UsageState(rawValue: $0) } ?? .none)
        facts.answerTier = record.answered.tier
        facts.askedTier = record.asked.tier
        facts.speed = record.answered.speed
        facts.inferenceGeo = record.answered.geo
        facts.isSum = record.answered.messagesIn != nil
        guard
            let (row, parts) = prices.book.statement(
                provider: prices.provider, answerModel: record.answered.model,
                askedModel: detail.attempts.last?.model ?? record.asked.model, facts: facts,
                at: record.id.microseconds / 1_000_000),
            abs(parts.reduce(0) { $0 + $1.money.picodollars } - amount.picodollars) <= Int64(parts.count)
        else { return nil }
        var table = ReportTable([
            .init(title: "Cost"), .init(title: "Count", isNumber: true), .init(title: "Price", isNumber: true),
            .init(title: "Per"), .init(title: "Dollars", isNumber: true),
        ])
        for part in parts {
            table.rows.append(
                ReportTable.Row(cells: [
                    .init(Self.words(part.unit)), .init(Figures.count(part.count)), .init(Self.price(part.price)),
                    .init(part.unit.measure), .init(Self.exact(part.money)),
                ]))
        }
        table.rows.append(
            ReportTable.Row(cells: ["All", "", "", "", .init(Self.exact(amount))], isTotal: true))
        let from = row.effectiveFrom.map { " of \($0)" } ?? ""
        let checked = row.checked.map { ", checked \($0)" } ?? ""
        return table.lines(style) + ["Price row \(row.provider)/\(row.model)\(from)\(checked)"]
    }

    private static func words(_ unit: PriceUnit) -> String {
        switch unit {
        case .input: "Input, not cached"
        case .cached: "Cache read"
        case .write: "Cache write"
        case .write5m: "Cache write, 5 min"
        case .write30m: "Cache write, 30 min"
        case .write1h: "Cache write, 1 h"
        case .write12h: "Cache write, 12 h"
        case .output: "Output"
        default: unit.rawValue.split(separator: "_").joined(separator: " ")
        }
    }

    /// At least two decimals.
    private static func price(_ price: Money) -> String {
        let text = price.dollars
        let decimals = text.split(separator: ".").dropFirst().first?.count ?? 0
        return decimals == 0 ? "\(text).00" : decimals == 1 ? "\(text)0" : text
    }

    /// Seven decimals, so that lines stand under each other; picodollars where there is no more.
    private static func exact(_ money: Money) -> String {
        let (whole, rest) = money.picodollars.quotientAndRemainder(dividingBy: 1_000_000_000_000)
        let digits = String(rest)
        return "\(whole)." + (String(repeating: "0", count: 12 - digits.count) + digits).prefix(7)
    }
}

extension String {
    func leftPadded(_ width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }
}
