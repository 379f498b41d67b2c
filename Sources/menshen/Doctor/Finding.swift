// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// One thing that was looked at, and how it is.
struct Finding: Equatable {
    enum State: String {
        case fine = "ok"
        case warning = "warn"
        case failed = "fail"
    }

    /// What it is about, in a word: "Socket", or the name of a provider.
    let subject: String
    let state: State
    /// Without a stop at its end.
    let text: String
    /// What to do about it; nil: nothing.
    let fix: String?

    init(subject: String, state: State, text: String, fix: String? = nil) {
        func bare(_ text: String) -> String { text.hasSuffix(".") ? String(text.dropLast()) : text }
        (self.subject, self.state, self.text, self.fix) = (subject, state, bare(text), fix.map(bare))
    }

    static func fine(_ subject: String, _ text: String) -> Finding {
        Finding(subject: subject, state: .fine, text: text)
    }

    static func warning(_ subject: String, _ text: String, _ fix: String?) -> Finding {
        Finding(subject: subject, state: .warning, text: text, fix: fix)
    }

    static func failed(_ subject: String, _ text: String, _ fix: String?) -> Finding {
        Finding(subject: subject, state: .failed, text: text, fix: fix)
    }
}

extension Finding {
    private static let margin = 18

    func lines(_ style: ReportStyle) -> [String] {
        let name = ShownName.clean(subject)
        let head = style.painted(style.sign(state.mark), state.ink) + " " + name.padded(Self.margin - 2)
        let text = style.wrapped(ShownName.clean(text), margin: Self.margin, indent: "")
        let way = fix.map { style.wrapped("→ " + ShownName.clean($0), margin: Self.margin) } ?? []
        let space = String(repeating: " ", count: Self.margin)
        return [head + (text.first ?? "")] + (text.dropFirst() + way).map { space + $0 }
    }

    var json: String {
        JSONLine.object([
            ("subject", .text(subject)), ("state", .text(state.rawValue)), ("text", .text(text)), ("fix", .text(fix)),
        ])
    }
}

extension Finding.State {
    fileprivate var mark: OutcomeWords.Mark {
        switch self {
        case .fine: .fine
        case .warning: .warning
        case .failed: .failed
        }
    }

    fileprivate var ink: ReportStyle.Ink {
        switch self {
        case .fine: .green
        case .warning: .yellow
        case .failed: .red
        }
    }
}
