// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What is wrong with a row of prices.
package struct PriceFault: Error, Equatable {
    /// The column.
    package let key: String
    /// What goes on behind the key's name.
    package let message: String
    package var hint: String?
}

/// A row as a text has it, before it is known to make sense. Tables and `prices.toml` have the same columns.
struct PriceFields {
    var provider = ""
    var models: [String] = []
    var from = ""
    var variant = ""
    var window = ""
    /// Units with their prices, and what else stands among them.
    var prices: [(name: String, text: String)] = []
    var checked = ""
    var source = ""

    static let otherNames = ["us_percent", "least_seconds"]

    func row() throws(PriceFault) -> PriceRow {
        guard Self.isName(provider) else {
            throw PriceFault(key: "provider", message: "must be a word", hint: "write provider = \"openai\"")
        }
        guard !models.isEmpty, models.allSatisfy(Self.isName) else {
            throw PriceFault(key: "model", message: "must be a name without blanks", hint: "write model = \"gpt-5\"")
        }
        var units: [PriceUnit: UnitPrice] = [:]
        var numbers: [String: Int] = [:]
        for (name, text) in prices {
            if Self.otherNames.contains(name) {
                guard let number = Int(text), (1...100_000).contains(number) else {
                    throw PriceFault(key: name, message: "must be a whole number")
                }
                numbers[name] = number
                continue
            }
            guard let unit = PriceUnit(rawValue: name) else { throw Self.unknown(name) }
            guard let price = UnitPrice(text) else {
                throw PriceFault(
                    key: name, message: "is no price",
                    hint: "write dollars, as in 0.25, or with long-context lines \"3>200000:6\" or \"3>=200000:6\"")
            }
            guard units.updateValue(price, forKey: unit) == nil else {
                throw PriceFault(key: name, message: "stands there twice")
            }
        }
        return PriceRow(
            provider: provider, models: models.map { $0.lowercased() }, effectiveFrom: try date(from, "from"),
            variant: try kind(), window: try hours(), prices: units, usPercent: numbers["us_percent"],
            leastSeconds: numbers["least_seconds"], checked: try date(checked, "checked"), source: source)
    }

    static func unknown(_ name: String) -> PriceFault {
        let known = PriceUnit.allCases.map(\.rawValue) + otherNames
        let near = NearName.of(name, among: known).map { "did you mean \"\($0)\"?" }
        return PriceFault(
            key: name, message: "is no unit that has a price",
            hint: near ?? "the units are \(known.joined(separator: ", "))")
    }

    static func isName(_ text: String) -> Bool {
        (1...256).contains(text.utf8.count) && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F }
    }

    private func date(_ text: String, _ key: String) throws(PriceFault) -> PriceDate? {
        if text.isEmpty { return nil }
        guard let date = PriceDate(text) else {
            throw PriceFault(key: key, message: "must be a day", hint: "write \(key) = 2026-11-27")
        }
        return date
    }

    private func kind() throws(PriceFault) -> PriceRow.Variant? {
        if variant.isEmpty { return nil }
        guard let known = PriceRow.Variant(rawValue: variant) else {
            let names = PriceRow.Variant.allCases.map(\.rawValue).joined(separator: ", ")
            throw PriceFault(
                key: "variant", message: "must be one of \(names)", hint: "leave it out for the standard way")
        }
        return known
    }

    private func hours() throws(PriceFault) -> PriceWindow? {
        if window.isEmpty { return nil }
        guard let known = PriceWindow(window) else {
            throw PriceFault(
                key: "window", message: "must be hours of the week in UTC",
                hint: "write window = \"Mon-Fri 01:00-04:00\"")
        }
        return known
    }
}
