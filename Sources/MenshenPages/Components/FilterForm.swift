// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// A form that asks for the same page with other filters.
struct FilterForm {
    struct Option {
        let value: String
        let words: String
    }

    enum Field {
        /// Of what exists, most used first.
        case choice(name: String, label: String, options: [Option])
        case text(name: String, label: String, placeholder: String)
    }

    let context: PageContext
    let fields: [Field]

    var html: HTML {
        let names = fields.map { field in
            switch field {
            case .choice(let name, _, _), .text(let name, _, _): name
            }
        }
        // What the form has no field for stays in force; a period of its own ends with the choice of another.
        let others = context.parameters.given.filter {
            !names.contains($0.name) && !["before", "after"].contains($0.name)
        }
        let inputs: [HTML] = fields.map(input)
        return """
            <form class="filters" method="get">
            \(HTML.hidden(others))\(inputs)<div class="go"><button class="primary">Show</button></div>
            </form>

            """
    }

    private func input(_ field: Field) -> HTML {
        switch field {
        case .text(let name, let label, let placeholder):
            return """
                <label>\(label)<input name="\(name)" placeholder="\(placeholder)" value="\(context.parameters[name] ?? "")"></label>

                """
        case .choice(let name, let label, let options):
            let current = name == "period" ? context.period.name ?? "custom" : context.parameters[name]
            var all = options
            if let current, !options.contains(where: { $0.value == current }) {
                all.append(
                    Option(
                        value: current,
                        words: name == "period" ? "From… until…" : Dimension(rawValue: name)?.shown(current) ?? current)
                )
            }
            let items: [HTML] = all.map {
                "<option value=\"\($0.value)\"\(" selected", if: $0.value == current)>\(HTML.escaped($0.words).isEmpty ? "(empty)" : $0.words)</option>"
            }
            return """
                <label>\(label)<select name="\(name)">\("<option value=\"\">Any</option>", if: name != "period")\(items)</select></label>

                """
        }
    }
}
