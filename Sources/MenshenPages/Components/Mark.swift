// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

extension OutcomeWords.Mark {
    /// Of the style sheet, which gives it its shape.
    var style: String {
        switch self {
        case .fine: "ok"
        case .open: "open"
        case .cached: "hit"
        case .left: "gone"
        case .warning: "warn"
        case .refused: "no"
        case .failed: "bad"
        case .off: "off"
        }
    }
}

extension HTML {
    /// A shape and a word. `isLoud`: somebody must act.
    static func mark(_ mark: OutcomeWords.Mark, _ words: String, isLoud: Bool = false) -> HTML {
        "<span class=\"st \(mark.style)\(" loud", if: isLoud)\">\(words)</span>"
    }

    /// How a request ended, with its status, cut to its column.
    static func outcome(_ outcome: OutcomeWords, status: Int?) -> HTML {
        let code = status.map { "\($0)" } ?? ""
        let whole = [code, outcome.words].filter { !$0.isEmpty }.joined(separator: " ")
        return """
            <span class="st \(outcome.mark.style) max" title="\(whole)"><span class="cut">\
            <span class="code3">\(code)</span> \(outcome.words)</span></span>
            """
    }
}
