// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Crypto
internal import TOML

/// The user's own prices: `prices.toml` beside the configuration. Its rows stand before those of the table that menshen carries.
package struct PriceOverlay: Sendable, Equatable {
    package var rows: [PriceRow] = []
    /// The beginning of its text's digest; nil without a text.
    package var version: String?

    package init() {}

    /// Names of its price providers.
    package var providers: Set<String> { Set(rows.map(\.provider)) }

    /// nil beside diagnostics if one of them is an error.
    package static func decode(_ bytes: [UInt8], file: String) -> (overlay: PriceOverlay?, diagnostics: [Diagnostic]) {
        var reading = OverlayReading(file: file)
        let rows = reading.rows(bytes)
        guard reading.diagnostics.isEmpty else { return (nil, reading.diagnostics) }
        var overlay = PriceOverlay()
        overlay.rows = rows.map(\.row)
        let digits = Digest(of: bytes).rawValue.prefix(4).map { byte in
            (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        overlay.version = digits.joined()
        return (overlay, [])
    }
}

/// A row and where its text begins, and of its keys where each stands.
struct PlacedPriceRow {
    let row: PriceRow
    let line: Int
    let keys: [(name: String, line: Int)]
}

/// Reads rows out of TOML, and collects what is wrong with them.
struct OverlayReading {
    let file: String
    private(set) var diagnostics: [Diagnostic] = []

    init(file: String) { self.file = file }

    private mutating func error(at span: SourceSpan, _ message: String, _ hint: String? = nil) {
        diagnostics.append(
            Diagnostic(.error, file: file, line: span.line, column: span.column, message: message, hint: hint))
    }

    mutating func rows(_ bytes: [UInt8]) -> [PlacedPriceRow] {
        let root: TOMLTable
        do throws(TOMLError) { root = try TOMLDocument.parse(bytes) } catch {
            self.error(at: error.span, "this is not TOML: \(error.message)")
            return []
        }
        var rows: [PlacedPriceRow] = []
        for entry in root.entries {
            guard entry.key == "prices", case .array(let items) = entry.item.value else {
                error(at: entry.keySpan, "'\(entry.key)' is no table of this file", "write [[prices]] before each row")
                continue
            }
            for item in items {
                guard case .table(let table) = item.value else {
                    error(at: item.span, "a row of prices is a table", "write [[prices]] before each row")
                    continue
                }
                guard let row = row(table, item.span) else { continue }
                let isThere = rows.contains { $0.row.isSame(as: row) }
                if isThere {
                    error(at: item.span, "an earlier row is for the same model, day, variant and window")
                } else {
                    let keys = table.entries.map { ($0.key, $0.keySpan.line) }
                    rows.append(PlacedPriceRow(row: row, line: item.span.line, keys: keys))
                }
            }
        }
        return rows
    }

    private mutating func row(_ table: TOMLTable, _ span: SourceSpan) -> PriceRow? {
        var fields = PriceFields()
        let before = diagnostics.count
        for entry in table.entries { take(entry, &fields) }
        guard diagnostics.count == before else { return nil }
        do throws(PriceFault) { return try fields.row() } catch {
            let place = table.entry(error.key)?.item.span ?? span
            self.error(at: place, "prices[].\(error.key) \(error.message)", error.hint)
            return nil
        }
    }

    private mutating func take(_ entry: TOMLTable.Entry, _ fields: inout PriceFields) {
        func text() -> String? {
            switch entry.item.value {
            case .string(let text), .dateTime(let text): text
            default: nil
            }
        }
        var taken: String?
        switch entry.key {
        case "provider", "from", "variant", "window", "checked", "source":
            taken = text()
            let property: WritableKeyPath<PriceFields, String> =
                switch entry.key {
                case "provider": \.provider
                case "from": \.from
                case "variant": \.variant
                case "window": \.window
                case "checked": \.checked
                default: \.source
                }
            fields[keyPath: property] = taken ?? ""
        case "model":
            taken = text()
            if let taken { fields.models.insert(taken, at: 0) }
        case "models":
            if case .array(let items) = entry.item.value {
                let names = items.compactMap { if case .string(let name) = $0.value { name } else { nil } }
                if names.count == items.count {
                    fields.models += names
                    taken = ""
                }
            }
        default:
            guard PriceUnit(rawValue: entry.key) != nil || PriceFields.otherNames.contains(entry.key) else {
                let fault = PriceFields.unknown(entry.key)
                return error(at: entry.keySpan, "prices[].\(entry.key) \(fault.message)", fault.hint)
            }
            taken = Self.number(entry.item.value)
            guard let taken else {
                return error(
                    at: entry.item.span, "prices[].\(entry.key) is no price",
                    "write dollars, as in 0.25; more than 15 digits between quotes")
            }
            fields.prices.append((entry.key, taken))
        }
        if taken == nil {
            error(at: entry.item.span, "prices[].\(entry.key) must not be \(entry.item.value.kindName)")
        }
    }

    /// A price as it was written: up to 15 digits survive the way through a floating-point number, and no more are taken.
    private static func number(_ value: TOMLValue) -> String? {
        switch value {
        case .string(let text): return text
        case .integer(let number): return number >= 0 ? "\(number)" : nil
        case .float(let number):
            guard number >= 0, number < 1e9 else { return nil }
            let parts = "\(number)".split(separator: "e-")
            let digits = parts[0].filter(\.isNumber)
            guard digits.count <= 16, digits.drop(while: { $0 == "0" }).count <= 15 + (parts[0].hasSuffix(".0") ? 1 : 0)
            else { return nil }
            guard parts.count == 2, let exponent = Int(parts[1]) else { return "\(number)" }
            // "1.5e-05"
            return "0." + String(repeating: "0", count: exponent - 1) + digits
        default: return nil
        }
    }
}

extension PriceRow {
    /// It says the same thing, if perhaps at another price.
    func isSame(as other: PriceRow) -> Bool {
        provider == other.provider && effectiveFrom == other.effectiveFrom && variant == other.variant
            && window == other.window && !Set(models).isDisjoint(with: other.models)
    }
}
