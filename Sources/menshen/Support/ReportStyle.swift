// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import ArgumentParser
internal import Linux
internal import MenshenCore

/// How reports look where they are read.
struct ReportStyle {
    enum Ink: String {
        case bold = "1"
        case dim = "2"
        case green = "32"
        case yellow = "33"
        case red = "31"
    }

    /// Columns of the terminal; nil: it is none, and nothing is cut.
    let width: Int?
    let hasColour: Bool
    let isASCII: Bool

    func painted(_ text: String, _ ink: Ink?) -> String {
        guard hasColour, let ink, !text.isEmpty else { return text }
        return "\u{1b}[\(ink.rawValue)m\(text)\u{1b}[0m"
    }

    func sign(_ mark: OutcomeWords.Mark) -> String { isASCII ? mark.ascii : mark.rawValue }

    /// What stands for what is cut.
    var ellipsis: String { isASCII ? "~" : "…" }

    /// Text of ours without what a terminal of ASCII can't show.
    func plain(_ text: String) -> String {
        guard isASCII else { return text }
        let replacements: [Character: String] = [
            "≥": ">=", "▲": "+", "▼": "-", "–": "-", "·": "-", "…": "~", "→": "->", "×": "x",
        ]
        return text.reduce(into: "") { line, character in
            line += replacements[character] ?? (character.isASCII ? String(character) : "?")
        }
    }

    /// A sentence in lines that fit, those after the first a little further in. `margin`: columns before each that are taken.
    func wrapped(_ text: String, margin: Int = 0, indent: String = "  ") -> [String] {
        guard let width = width.map({ max(20, $0 - margin) }) else { return [plain(text)] }
        var lines: [String] = []
        var line = ""
        for word in plain(text).split(separator: " ") {
            if !line.isEmpty, ShownName.width(line) + 1 + ShownName.width(String(word)) > width {
                lines.append(line)
                line = indent + word
            } else {
                line += (line.isEmpty ? "" : " ") + word
            }
        }
        return lines + [line]
    }

    /// A bar of so many columns, in eighths. `share`: thousandths of its width; `rest` goes on from there with another sign.
    func bar(_ share: Int64, of columns: Int, rest: Int64 = 0, _ sign: String = "▒") -> String {
        guard columns > 0, share > 0 || rest > 0 else { return "" }
        let eighths = Int(min(max(share, 0), 1000)) * columns * 8 / 1000
        let restColumns = Int(min(max(rest, 0), 1000)) * columns / 1000
        if isASCII {
            let solid = share > 0 ? max(1, (eighths + 4) / 8) : 0
            return String(repeating: "#", count: solid) + String(repeating: sign == "░" ? "." : ":", count: restColumns)
        }
        let parts = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]
        let solid = share > 0 ? max(1, eighths) : 0
        return String(repeating: "█", count: solid / 8) + parts[solid % 8] + String(repeating: sign, count: restColumns)
    }
}

/// Options of every report.
struct StyleOptions: ParsableArguments {
    enum Colour: String, ExpressibleByArgument, CaseIterable { case auto, always, never }

    @Option(name: .long, help: "Colour: auto, always or never. NO_COLOR and CLICOLOR_FORCE are heeded.")
    var color = Colour.auto

    @Flag(name: .long, help: "Use ASCII only, as with a locale without UTF-8 and with TERM=dumb.")
    var ascii = false

    @Option(name: .long, help: "Columns (default: the terminal's; nothing is cut where there is none).")
    var width: Int?

    var style: ReportStyle {
        let output = StandardStream.output
        let isDumb = Environment.value("TERM") == "dumb"
        let hasColour: Bool
        switch color {
        case .always: hasColour = true
        case .never: hasColour = false
        case .auto:
            if let forced = Environment.value("CLICOLOR_FORCE"), forced != "0", !forced.isEmpty {
                hasColour = true
            } else {
                hasColour = output.isTerminal && !isDumb && (Environment.value("NO_COLOR") ?? "").isEmpty
            }
        }
        let terminal = output.isTerminal ? output.columns ?? 80 : nil
        return ReportStyle(
            width: width.map { max(20, $0) } ?? terminal, hasColour: hasColour, isASCII: ascii || isDumb || !isUTF8)
    }

    /// As the C library chooses a locale's character set.
    private var isUTF8: Bool {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].compactMap { Environment.value($0) }.first { !$0.isEmpty } ?? ""
        let name = locale.lowercased()
        // Without any, programs of these days take UTF-8; "C" and "POSIX" are a choice.
        return name.isEmpty || name.contains("utf-8") || name.contains("utf8")
    }
}
