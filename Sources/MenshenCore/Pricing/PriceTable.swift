// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Synchronization

/// A table of list prices, read as far as it is needed: at first the list of providers alone; a provider's names when one of
/// its models is asked for; and of the rows those of that model.
package final class PriceTable: Sendable {
    /// The one that is part of the program.
    package static let shared = PriceTable { EmbeddedPrices.bytes }

    /// As its own text says it.
    package let version: String
    package let providers: [PriceProvider]
    private let text: @Sendable () -> [UInt8]
    private let sections = Mutex<[String: PriceSection]>([:])

    package init(_ text: @escaping @Sendable () -> [UInt8]) {
        self.text = text
        var (version, providers) = ("", [PriceProvider]())
        let bytes = text()
        for line in Lines(of: bytes) {
            if bytes[line].first == UInt8(ascii: ">") { break }
            let fields = String(decoding: bytes[line], as: UTF8.self).split(
                separator: "\t", omittingEmptySubsequences: false)
            if fields.first == "version", fields.count == 2 { version = String(fields[1]) }
            if fields.first == "provider", let provider = try? PriceLine.provider(fields) { providers.append(provider) }
        }
        self.version = version
        self.providers = providers
    }

    package func provider(_ name: String) -> PriceProvider? { providers.first { $0.name == name } }

    /// Whose prices those of an address are.
    package func provider(at address: BaseURL) -> PriceProvider? { providers.first { $0.sells(at: address) } }

    /// Rows of just this name, which is in lower case.
    func rows(_ provider: String, _ model: String) -> [PriceRow] { section(provider)?.rows(model) ?? [] }

    /// All rows of a provider.
    package func rows(of provider: String) -> [PriceRow] { section(provider)?.allRows ?? [] }

    /// A whole table, with what is wrong with it.
    package static func rows(of text: String, file: String) -> (rows: [PriceRow], diagnostics: [Diagnostic]) {
        var providers: [PriceProvider] = []
        var current: PriceProvider?
        var rows: [PriceRow] = []
        var diagnostics: [Diagnostic] = []
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            if line.isEmpty || line.hasPrefix("#") || line.hasPrefix("version\t") { continue }
            do throws(PriceFault) {
                if line.hasPrefix("provider\t") {
                    providers.append(
                        try PriceLine.provider(line.split(separator: "\t", omittingEmptySubsequences: false)))
                } else if line.hasPrefix(">") {
                    current = providers.first { $0.name == line.dropFirst() }
                    if current == nil { throw PriceFault(key: "provider", message: "has no line of its own above") }
                } else {
                    guard let current else {
                        throw PriceFault(key: "row", message: "belongs to no provider", hint: "write >openai above it")
                    }
                    rows.append(try PriceLine.row(String(line), of: current))
                }
            } catch {
                diagnostics.append(
                    Diagnostic(
                        .error, file: file, line: number + 1, column: 1, message: "\(error.key) \(error.message)",
                        hint: error.hint))
            }
        }
        return (rows, diagnostics)
    }

    private func section(_ name: String) -> PriceSection? {
        sections.withLock { sections in
            if let section = sections[name] { return section }
            guard let provider = provider(name) else { return nil }
            let bytes = text()
            let mark = Array(">\(name)".utf8)
            var lines: [Range<Int>] = []
            var isInside = false
            for line in Lines(of: bytes) where !line.isEmpty {
                if bytes[line.lowerBound] == UInt8(ascii: ">") {
                    if isInside { break }
                    isInside = bytes[line].elementsEqual(mark)
                } else if isInside {
                    lines.append(line)
                }
            }
            let section = PriceSection(provider, bytes, lines)
            sections[name] = section
            return section
        }
    }
}

/// The rows of one provider with an index of their names.
private struct PriceSection: Sendable {
    private let provider: PriceProvider
    private let text: [UInt8]
    private let lines: [Range<Int>]
    private var places: [String: [Int]] = [:]

    init(_ provider: PriceProvider, _ bytes: [UInt8], _ lines: [Range<Int>]) {
        self.provider = provider
        let begin = lines.first?.lowerBound ?? 0
        text = Array(bytes[begin..<(lines.last?.upperBound ?? 0)])
        self.lines = lines.map { $0.lowerBound - begin..<$0.upperBound - begin }
        for (place, line) in self.lines.enumerated() {
            for name in text[line].prefix(while: { $0 != 9 }).split(separator: 32) {
                places[String(decoding: name, as: UTF8.self), default: []].append(place)
            }
        }
    }

    func rows(_ model: String) -> [PriceRow] { places[model]?.compactMap(row) ?? [] }
    var allRows: [PriceRow] { lines.indices.compactMap(row) }

    private func row(_ place: Int) -> PriceRow? {
        try? PriceLine.row(String(decoding: text[lines[place]], as: UTF8.self), of: provider)
    }
}

/// The lines of a text, without their ends.
private struct Lines: Sequence, IteratorProtocol {
    private let bytes: [UInt8]
    private var place = 0

    init(of bytes: [UInt8]) { self.bytes = bytes }

    mutating func next() -> Range<Int>? {
        guard place < bytes.count else { return nil }
        let begin = place
        var end = begin
        while end < bytes.count, bytes[end] != UInt8(ascii: "\n") { end += 1 }
        place = end + 1
        return begin..<end
    }
}
