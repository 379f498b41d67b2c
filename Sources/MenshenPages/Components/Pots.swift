// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

extension PotState {
    /// In thousandths of the limit.
    var share: Int64 { Int64((Double(spent) / Double(max(1, limit.amount)) * 1000).rounded()) }
}

/// A limit and what of it is used, in words and as a bar.
struct PotParts {
    let pot: PotState
    let clock: PageClock

    init(_ pot: PotState, _ clock: PageClock) {
        self.pot = pot
        self.clock = clock
    }

    func amount(_ value: Int64) -> String {
        switch pot.limit.measure {
        case .money: Figures.money(Money(picodollars: value))
        case .requests: Figures.count(value)
        case .tokens, .inputTokens, .outputTokens: Figures.tokens(value)
        }
    }

    /// $1.75 a day
    var limit: String {
        let unit: String =
            switch pot.limit.measure {
            case .money: ""
            case .requests: " requests"
            case .tokens: " tokens"
            case .inputTokens: " input tokens"
            case .outputTokens: " output tokens"
            }
        let window: String =
            switch pot.limit.window {
            case .minute: " a minute"
            case .hour: " an hour"
            case .day: " a day"
            case .week: " a week"
            case .month: " a month"
            case .rolling(let seconds): " in any \(Figures.wait(seconds))"
            case .ever: " in all"
            }
        return amount(pot.limit.amount) + unit + window
    }

    var percent: String {
        pot.spent > pot.limit.amount
            ? "\(pot.share / 10)%" : Figures.share(pot.spent, of: pot.limit.amount)
    }

    var bar: HTML { .budgetBar(spent: pot.spent, reserved: pot.reserved, of: pot.limit.amount) }
    var resets: String { pot.resetsAt.map(clock.words) ?? "" }
    var resetsIn: String {
        guard let time = pot.resetsAt, time > clock.now else { return "" }
        return "in \(Figures.wait(time - clock.now))"
    }

    /// The name of the holder and what it is.
    var holder: (name: String, kind: String) {
        pot.holder == .instance ? ("instance", "") : (pot.holder.name, pot.holder.kind.rawValue)
    }

    var name: HTML {
        let name = holder.name
        if pot.holder.kind == .token { return "<a href=\"\(Address("tokens", name))\">\(HTML.name(name))</a>" }
        return "<a href=\"\(Address("tokens").fragment(anchor))\">\(HTML.name(name))</a>"
    }

    /// Of its row on the page of budgets.
    var anchor: String { "\(holder.name) \(holder.kind) \(pot.limit)".split(separator: " ").joined(separator: "-") }

    /// On the overview.
    var item: HTML {
        let reserved = pot.reserved > 0 ? ", \(amount(pot.reserved)) reserved" : ""
        let end = resetsIn.isEmpty ? "" : "resets \(resetsIn), \(resets)"
        let kind = [holder.kind, limit].filter { !$0.isEmpty }.joined(separator: ", ")
        return """
            <li class="pot"><span>\(name) <span class="muted">\(kind)</span></span>\
            <span class="n">\(amount(pot.spent)) <b>\(percent)</b></span>\(bar)\
            <span class="sub">\(amount(pot.remaining)) left\(reserved)</span><span class="sub n">\(end)</span></li>

            """
    }
}
