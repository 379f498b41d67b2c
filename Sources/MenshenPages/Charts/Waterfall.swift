// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// What happened in a request, step by step, on one axis of time.
struct Waterfall {
    struct Step {
        let name: HTML
        var detail: HTML = .nothing
        /// Microseconds since the request began.
        let start: Int64
        let end: Int64
        /// Nothing came meanwhile: drawn as an outline.
        var isWaiting = false
        let outcome: HTML
    }

    let steps: [Step]
    let total: Int64

    var html: HTML {
        let rows: [HTML] = steps.map(row)
        return """
            <table class="fall stack">
            <thead><tr><th scope="col">Step</th><th scope="col"><svg class="axis" width="100%" height="14" aria-hidden="true">\(labels)</svg>\
            <span class="vh">When</span></th><th scope="col" class="n">From</th><th scope="col" class="n">Lasted</th><th scope="col">Outcome</th></tr></thead>
            <tbody>
            \(rows)</tbody>
            </table>

            """
    }

    /// About four ticks of 1, 2 or 5 times a power of ten.
    private var ticks: [Int64] {
        var power: Int64 = 1
        while power * 10 <= max(1, total / 4) { power *= 10 }
        let step = [1, 2, 5, 10].map { $0 * power }.first { $0 * 5 >= total } ?? power * 10
        return stride(from: step, to: max(step, total * 97 / 100), by: Int(step)).map { $0 }
    }

    private var labels: HTML {
        let marks: [HTML] = ticks.map {
            "<text x=\"\(HTML.percent($0, of: total))\" text-anchor=\"middle\" y=\"11\">\(Figures.shortDuration($0))</text>"
        }
        return "<text x=\"0%\" y=\"11\">0</text>\(marks)"
    }

    private func row(_ step: Step) -> HTML {
        let lines: [HTML] = ticks.map {
            let x = HTML.percent($0, of: total)
            return "<line class=\"grid-line\" x1=\"\(x)\" x2=\"\(x)\" y1=\"-4\" y2=\"18\"/>"
        }
        let whole = Double(max(1, total))
        let width = min(1, max(0.0035, Double(step.end - step.start) / whole))
        let x = HTML.percent(min(1 - width, Double(step.start) / whole))
        let bar: HTML =
            step.isWaiting
            ? "<rect class=\"wait\" x=\"\(x)\" width=\"\(HTML.percent(width))\" y=\"2.5\" height=\"9\"/>"
            : "<rect class=\"ink\" x=\"\(x)\" width=\"\(HTML.percent(width))\" y=\"2\" height=\"10\" rx=\"1.5\"/>"
        return """
            <tr><th scope="row" class="c-name">\(step.name)\("<span class=\"sub\">\(step.detail)</span>" as HTML, if: !step.detail.isEmpty)</th>\
            <td class="c-wide"><svg class="bar" height="14" aria-hidden="true">\(lines)\(bar)</svg></td>\
            <td class="n" data-l="From">\(step.start == 0 ? "0" : Figures.shortDuration(step.start))</td>\
            <td class="n c-main">\(Figures.shortDuration(step.end - step.start))</td><td>\(step.outcome)</td></tr>

            """
    }
}
