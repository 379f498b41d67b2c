// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Who sells models at list prices of its own.
package struct PriceProvider: Sendable {
    package let name: String
    /// Of rows that don't say otherwise.
    package let checked: PriceDate?
    package let source: String
    /// Patterns of host and beginning of a path.
    private let hosts: [(host: ModelPattern, path: String)]

    init(name: String, checked: PriceDate?, source: String, hosts: [String] = []) {
        self.name = name
        self.checked = checked
        self.source = source
        self.hosts = hosts.map { text in
            let end = text.firstIndex(of: "/") ?? text.endIndex
            return (ModelPattern(String(text[..<end])), String(text[end...]))
        }
    }

    func sells(at address: BaseURL) -> Bool {
        guard address.socketPath == nil else { return false }
        return hosts.contains { host, path in
            host.matches(String(address.host))
                && (path.isEmpty || ModelPattern(path).matches(address.path)
                    || ModelPattern(path + "/*").matches(address.path))
        }
    }
}

/// The lines of a table of prices; `contrib/prices/README.md` describes them.
enum PriceLine {
    /// "provider⇥openai⇥2026-11-27⇥https://…⇥api.openai.com"
    static func provider(_ fields: [Substring]) throws(PriceFault) -> PriceProvider {
        guard fields.count == 5 else { throw PriceFault(key: "provider", message: "has five fields between tabs") }
        guard let checked = PriceDate(fields[2]) else { throw PriceFault(key: "checked", message: "must be a day") }
        return PriceProvider(
            name: String(fields[1]), checked: checked, source: String(fields[3]),
            hosts: fields[4].split(separator: " ").map(String.init))
    }

    /// Models, from, variant, window, prices; and where they are other than the provider's, checked and source.
    static func row(_ line: String, of provider: PriceProvider) throws(PriceFault) -> PriceRow {
        let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
        guard (5...7).contains(fields.count) else {
            throw PriceFault(
                key: "row", message: "has five to seven fields between tabs",
                hint: "write models, from, variant, window, prices, checked, source")
        }
        var row = PriceFields()
        row.provider = provider.name
        row.models = fields[0].split(separator: " ").map(String.init)
        (row.from, row.variant, row.window) = (String(fields[1]), String(fields[2]), String(fields[3]))
        for price in fields[4].split(separator: " ") {
            let parts = price.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            row.prices.append((String(parts[0]), parts.count == 2 ? String(parts[1]) : ""))
        }
        row.checked = fields.count > 5 ? String(fields[5]) : provider.checked?.description ?? ""
        row.source = fields.count > 6 ? String(fields[6]) : provider.source
        return try row.row()
    }
}
