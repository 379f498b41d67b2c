// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenStore

/// `menshen usage --unpriced`: what is not in the sums, why, and what to type.
struct UsageGaps {
    private let view: UsageView

    init(_ view: UsageView) { self.view = view }

    func run() throws {
        let style = view.style
        let span = try view.span(usual: 6)
        let found = try view.rows([span.since, span.until], by: [.provider, .model]).filter { $0.sums.missing > 0 }
            .sorted { ($0.sums.missing, $0.keys[1] ?? "") > ($1.sums.missing, $1.keys[1] ?? "") }
        if view.isForPrograms {
            var rows = UsageRows(["provider", "model"], hasCost: true)
            for row in found { rows.add([.text(row.keys[0]), .text(row.keys[1])], row.sums) }
            return try view.print(rows, span)
        }
        if found.isEmpty { return Terminal.print("Every request of \(span.title) is in the sums.") }
        var names = NameBook()
        var table = ReportTable([
            .init(title: "Provider", least: 10), .init(title: "Model", least: 16),
            .init(title: "No price", isNumber: true), .init(title: "No usage", isNumber: true),
            .init(title: "In", isNumber: true, rank: 1), .init(title: "Out", isNumber: true, rank: 2),
        ])
        for row in found {
            table.rows.append(
                ReportTable.Row(cells: [
                    .init(names.name(row.keys[0], of: .provider)), .init(names.name(row.keys[1], of: .model)),
                    .init(row.sums[.unpriced] == 0 ? "" : Figures.count(row.sums[.unpriced])),
                    .init(row.sums[.usageUnknown] == 0 ? "" : Figures.count(row.sums[.usageUnknown])),
                    row.sums.inputCell, row.sums.outputCell,
                ]))
        }
        table.print(style)
        guard style.width != nil else { return }
        Terminal.print("")
        func say(_ sentence: String) { for line in style.wrapped(sentence) { Terminal.print(line) } }
        if let model = found.first(where: { $0.sums[.unpriced] > 0 })?.keys[1] {
            let day = ZonedTime(span.since, in: .utc).isoDate
            say(
                "No price: menshen prices set \(ShownName.clean(model)) …, then menshen prices recompute --since \(day)"
            )
        }
        if found.contains(where: { $0.sums[.usageUnknown] > 0 }) {
            say("No usage: the provider did not say what was used (menshen logs --unpriced shows them)")
        }
    }
}
