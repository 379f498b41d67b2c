// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// By what requests under way are sorted. The raw value is the key for it.
enum TopSort: Character, CaseIterable {
    case age = "a"
    case caller = "c"
    case model = "m"
    case provider = "p"
    case output = "o"

    var name: String {
        switch self {
        case .age: "age"
        case .caller: "caller"
        case .model: "model"
        case .provider: "provider"
        case .output: "output"
        }
    }
}

/// What a look is drawn of, and how its reader wants it.
struct TopPicture {
    /// The last one; nil: there was none.
    var look: TopLook?
    var history = TopHistory()
    /// Why there is no newer one.
    var away: String?
    var isPaused = false
    var sort = TopSort.age
    var isReversed = false
    /// Requests above the first that is shown.
    var scroll = 0
}

/// Draws a look as lines. Where the rows are few, providers and limits give way to requests; where there is no terminal, all
/// stands there.
struct TopView {
    /// Requests that are shown in any case.
    private static let leastRequests = 3

    let style: ReportStyle
    let zone: ZoneRules
    /// nil: as many as it takes.
    let rows: Int?

    /// Elsewhere a column goes before names become too short to be told apart.
    private var isNarrow: Bool { style.width ?? .max < 60 }

    func lines(_ picture: TopPicture) -> [String] {
        var names = NameBook()
        var lines = head(picture)
        guard let look = picture.look, picture.away == nil else { return fitted(lines, help: picture) }
        lines.append("")
        guard let rows else {
            let sections = [requests(picture, look, &names), providers(look, .max), pots(look, .max)]
            return lines + sections.filter { !$0.isEmpty }.joined(separator: [""])
        }
        let rest = rows - lines.count - 1
        // Titles and blank lines count.
        let most = max(0, rest - max(Self.leastRequests + 1, min(look.requests.count + 1, rest / 2)))
        let ofPots = min(most / 3, look.pots.isEmpty ? 0 : look.pots.count + 2)
        let others = [providers(look, most - ofPots - 2), pots(look, ofPots - 2)].filter { !$0.isEmpty }
        let left = rest - others.reduce(0) { $0 + $1.count + 1 }
        lines += requests(picture, look, &names, room: max(1, left))
        for section in others { lines += [""] + section }
        return fitted(lines, help: picture)
    }

    /// All rows of the screen, the keys in the last.
    private func fitted(_ lines: [String], help picture: TopPicture) -> [String] {
        guard let rows else { return lines }
        var lines = Array(lines.prefix(max(1, rows - 1)))
        while lines.count < rows - 1 { lines.append("") }
        return rows > 1 ? lines + [keys(picture)] : lines
    }

    // MARK: The head

    private func head(_ picture: TopPicture) -> [String] {
        var parts: [(text: String, ink: ReportStyle.Ink?)] = []
        if let look = picture.look {
            parts.append(("menshen \(ShownName.clean(look.version)) on \(ShownName.clean(look.host))", .bold))
            parts.append((ZonedTime(look.time / 1_000_000, in: zone).clockWithSeconds, nil))
            if picture.away == nil {
                let queued = look.queued > 0 ? ", \(Figures.count(look.queued)) queued" : ""
                let isWell = look.state == "serving"
                let words = "\(ShownName.clean(look.state)), \(Figures.count(look.open)) open\(queued)"
                parts.append((words, isWell ? nil : .yellow))
                if let recent = picture.history.recent { parts.append((Self.rate(recent), nil)) }
            }
        }
        if picture.isPaused { parts.append(("paused", .yellow)) }
        var lines = packed(parts)
        for fault in picture.look?.faults ?? [] where picture.away == nil {
            lines += style.wrapped("\(style.sign(.failed)) \(ShownName.clean(fault))").map { style.painted($0, .red) }
        }
        if let away = picture.away {
            if !lines.isEmpty { lines.append("") }
            lines += style.wrapped(ShownName.clean(away)).map { style.painted($0, .yellow) }
        } else if picture.look == nil {
            lines.append("…")
        }
        return lines
    }

    /// "2.1 requests/s, 0.5% failed (60 s)".
    private static func rate(_ recent: TopHistory.Recent) -> String {
        let tenths = recent.tenths
        let rate = tenths == 0 ? (recent.requests > 0 ? "<0.1" : "0") : "\(tenths / 10).\(tenths % 10)"
        let failed = recent.requests > 0 ? ", \(Figures.share(recent.failed, of: recent.requests)) failed" : ""
        return "\(rate) requests/s\(failed) (\(recent.span) s)"
    }

    /// In as few lines as they fit into.
    private func packed(_ parts: [(text: String, ink: ReportStyle.Ink?)]) -> [String] {
        var lines: [String] = []
        var used = 0
        for part in parts {
            var text = style.plain(part.text)
            if let width = style.width { text = ShownName.cut(text, to: width, mark: style.ellipsis) }
            let columns = ShownName.width(text)
            let painted = style.painted(text, part.ink)
            if let last = lines.last, used + 3 + columns <= style.width ?? .max {
                lines[lines.count - 1] = last + "   " + painted
                used += 3 + columns
            } else {
                lines.append(painted)
                used = columns
            }
        }
        return lines
    }

    /// As many as fit into the line.
    private func keys(_ picture: TopPicture) -> String {
        var line = ""
        let all =
            ["q quit", "space \(picture.isPaused ? "goes on" : "pause")", "arrows scroll"]
            + TopSort.allCases.map { "\($0.rawValue) \($0.name)\($0 == picture.sort ? "*" : "")" } + ["r reverse"]
        for key in all {
            let longer = line.isEmpty ? key : line + "  " + key
            if longer.count > style.width ?? .max { break }
            line = longer
        }
        return style.painted(line, .dim)
    }

    // MARK: Requests

    private func requests(
        _ picture: TopPicture, _ look: TopLook, _ names: inout NameBook, room: Int? = nil
    ) -> [String] {
        if look.requests.isEmpty { return [style.painted("Nothing is under way.", .dim)] }
        let sorted = Self.sorted(look.requests, picture, &names)
        var table = ReportTable([
            .init(title: "State"), .init(title: "Caller", least: isNarrow ? 5 : 7),
            .init(title: "Program", rank: 6, least: 8), .init(title: "Model", least: isNarrow ? 8 : 18),
            .init(title: "Provider", rank: 3, least: 8),
            .init(title: "In", isNumber: true, rank: 7), .init(title: "Out", isNumber: true, rank: 2),
            .init(title: "Tokens/s", isNumber: true, rank: 4), .init(title: "Sent", isNumber: true, rank: 5),
            .init(title: "Age", isNumber: true),
        ])
        var shown = sorted[...]
        if let room, sorted.count > room - 1 {
            // One line for the titles, and one that says that there are more.
            let count = max(1, room - 2)
            let first = min(max(0, picture.scroll), max(0, sorted.count - count))
            shown = sorted[first..<min(sorted.count, first + count)]
        }
        table.rows = shown.map { row($0, picture.history, &names) }
        let unlisted = look.open - Int64(look.requests.count)
        let above = shown.startIndex
        let below = Int64(sorted.count - shown.endIndex) + max(0, unlisted)
        var lines = table.lines(style)
        if above > 0 || below > 0 {
            let words = "\(Figures.count(below)) more"
            lines.append(style.painted(room == nil ? words : "\(above) more above, \(words) below", .dim))
        }
        return lines
    }

    private func row(
        _ request: TopLook.Request, _ history: TopHistory, _ names: inout NameBook
    ) -> ReportTable.Row {
        let rate = history.tokenTenths(request).map { "\($0 / 10).\($0 % 10)" }
        let program = request.client.map { client in
            ShownName.clean(client) + (request.session.map { " " + ShownName.clean($0).prefix(8) } ?? "")
        }
        let output =
            request.outputTokens.map { $0 > 0 ? "≥\(Figures.tokens($0))" : "" }
            ?? (request.bytesOut > 0 ? Figures.bytes(request.bytesOut) : "")
        return ReportTable.Row(cells: [
            .init(ShownName.clean(request.state), Self.ink(request.state)),
            .init(names.name(request.caller, of: .caller)), .init(program ?? ""),
            .init(request.model.map(ShownName.clean) ?? "-"), .init(request.provider.map(ShownName.clean) ?? "-"),
            .init(request.inputTokens.map(Figures.tokens) ?? ""), .init(output), .init(rate ?? ""),
            .init(request.bytesOut > 0 ? Figures.bytes(request.bytesOut) : ""),
            .init(Figures.duration(request.age)),
        ])
    }

    private static func ink(_ state: String) -> ReportStyle.Ink? {
        switch state {
        case "streaming", "answering": .green
        case "queued", "waiting": .yellow
        default: nil
        }
    }

    /// Of equals the oldest first.
    static func sorted(
        _ requests: [TopLook.Request], _ picture: TopPicture, _ names: inout NameBook
    ) -> [TopLook.Request] {
        var keyed = requests.map { request in
            let text =
                switch picture.sort {
                case .caller: names.name(request.caller, of: .caller)
                case .model: request.model ?? ""
                case .provider: request.provider ?? ""
                case .age, .output: ""
                }
            let number = picture.sort == .output ? -(request.outputTokens ?? 0) : 0
            return (request: request, text: text, number: number)
        }
        keyed.sort { ($0.text, $0.number, -$0.request.age) < ($1.text, $1.number, -$1.request.age) }
        if picture.isReversed { keyed.reverse() }
        return keyed.map(\.request)
    }

    // MARK: Providers and limits

    private func providers(_ look: TopLook, _ most: Int) -> [String] {
        var table = ReportTable([
            .init(title: "Provider", least: 8), .init(title: "State", least: isNarrow ? 12 : 30),
            .init(title: "Places", isNumber: true), .init(title: "Queued", isNumber: true, rank: 3),
            .init(title: "Limit used", rank: 2, least: 12), .init(title: "Last failure", rank: 4, least: 16),
        ])
        table.rows = look.providers.map { provider in
            let (mark, ink) = Self.mark(provider.health)
            return ReportTable.Row(cells: [
                .init(ShownName.clean(provider.name)),
                .init("\(style.sign(mark)) \(ShownName.clean(provider.state))", ink),
                .init("\(provider.active)" + (provider.places.map { " of \($0)" } ?? "")),
                .init(provider.queued > 0 ? Figures.count(provider.queued) : "", .yellow),
                .init(provider.limitsUsed), .init(provider.failure.map(ShownName.clean) ?? ""),
            ])
        }
        let ranks = look.providers.map {
            ["fine", "off"].contains($0.health) ? ($0.active + $0.queued > 0 ? 1 : 2) : 0
        }
        return cut(table, most, ranks)
    }

    private static func mark(_ health: String) -> (OutcomeWords.Mark, ReportStyle.Ink?) {
        switch health {
        case "fine": (.fine, .green)
        case "paused": (.warning, .yellow)
        case "off": (.off, .dim)
        default: (.failed, .red)
        }
    }

    private func pots(_ look: TopLook, _ most: Int) -> [String] {
        let pots = look.pots.sorted { $0.share > $1.share }
        return cut(UsageBudgets.table(pots), most, pots.map { _ in 0 })
    }

    /// So many rows, those of the lowest rank; nothing at all if not even one has room.
    private func cut(_ table: ReportTable, _ most: Int, _ ranks: [Int]) -> [String] {
        var table = table
        guard !table.rows.isEmpty, most > 0 else { return [] }
        if table.rows.count <= most { return table.lines(style) }
        let order = table.rows.indices.sorted { (ranks[$0], $0) < (ranks[$1], $1) }
        let kept = order.prefix(max(1, most - 1)).sorted()
        let left = table.rows.count - kept.count
        table.rows = kept.map { table.rows[$0] }
        return table.lines(style) + [style.painted("\(left) more", .dim)]
    }
}
