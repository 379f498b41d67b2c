// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

extension HTML {
    struct Segment {
        let words: String
        let address: Address
        var isCurrent = false
    }

    /// Links of which one is where one is.
    static func segments(_ label: String, _ segments: [Segment], _ rest: HTML = .nothing) -> HTML {
        let links: [HTML] = segments.map { segment in
            "<a href=\"\(segment.address)\"\(" aria-current=\"true\"", if: segment.isCurrent)>\(segment.words)</a>"
        }
        return "<nav class=\"seg\" aria-label=\"\(label)\">\n\(links)\n\(rest)</nav>\n"
    }

    /// What a form must say again, so that it is not lost.
    static func hidden(_ parameters: [Address.Parameter]) -> HTML {
        parameters.map { "<input type=\"hidden\" name=\"\($0.name)\" value=\"\($0.value)\">" as HTML }.joined()
    }
}

extension PageContext {
    /// The switch of the period.
    var periodSegments: HTML {
        let base = address.without("period", "since", "until", "before", "after")
        let segments = PagePeriod.names.map { name in
            HTML.Segment(
                words: "\(name.dropLast()) \(name.suffix(1))", address: base.with("period", name),
                isCurrent: period.name == name)
        }
        let last = period.endsNow ? now : period.until
        let other: HTML = """
            <details class="pop"><summary\(" aria-current=\"true\"", if: period.name == nil)>Other</summary><form>\
            \(HTML.hidden(base.parameters))
            <label>From<input type="datetime-local" name="since" value="\(clock.field(period.since))"></label>
            <label>Until<input type="datetime-local" name="until" value="\(clock.field(last))"></label>
            <button class="primary">Show</button></form></details>

            """
        return .segments("Period", segments, other)
    }

    /// 20 Nov 16:00 until now, against the week before
    func periodNote(_ hasBefore: Bool) -> HTML {
        let until = period.endsNow ? "now" : clock.dayAndClock(period.until)
        let against = hasBefore ? ", against \(period.beforeWords)" : ""
        return "\(clock.dayAndClock(period.since)) until \(until)\(against)"
    }

    /// Filters in force, each with a link that takes it away.
    var chips: HTML {
        let items: [HTML] = parameters.filterParameters.map { parameter in
            let dimension = Dimension(rawValue: parameter.name)
            let name = dimension?.title ?? parameter.name
            let isNone = parameter.value == PageParameters.none
            let shown = isNone ? dimension?.noneText ?? "" : dimension?.shown(parameter.value) ?? parameter.value
            return """
                <li>\(name) <b>\(HTML.name(shown))</b> <a href="\(address.without("before", "after").without(parameter))" \
                aria-label="Remove the filter \(name) \(shown)">×</a></li>
                """
        }
        return items.isEmpty ? .nothing : "<ul class=\"chips\" aria-label=\"Only\">\(items)</ul>"
    }
}
