// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

extension HTML {
    /// The head of a page.
    static func pageHead(_ title: String, _ controls: HTML = .nothing, note: HTML = .nothing) -> HTML {
        "<div class=\"head\"><h1>\(title)</h1>\n\(controls)\("<p>\(note)</p>" as HTML, if: !note.isEmpty)</div>\n"
    }

    /// A part of a page under a heading of its own. `id` is a word of ours.
    static func section(
        _ id: String, _ title: String, note: HTML = .nothing, more: HTML = .nothing, kind: String = "block",
        _ content: HTML
    ) -> HTML {
        """
        <section class="\(kind)" aria-labelledby="h-\(id)"><header><h2 id="h-\(id)">\(title)</h2>\
        \("<p>\(note)</p>" as HTML, if: !note.isEmpty)\(more)</header>
        \(content)</section>

        """
    }

    static func more(_ address: Address, _ words: String) -> HTML {
        "<a class=\"more\" href=\"\(address)\">\(words)</a>"
    }
    /// `isFirst`: what most people came for.
    static func button(_ address: Address, _ words: String, isFirst: Bool = false) -> HTML {
        "<a class=\"button\(" primary", if: isFirst)\" href=\"\(address)\">\(words)</a>"
    }

    /// A note: a sentence, and what to do.
    static func note(_ kind: String = "", _ title: String, _ content: HTML) -> HTML {
        "<section class=\"note \(kind)\"><h2>\(title)</h2>\(content)</section>\n"
    }

    /// Something to type, with a button that copies it. `id` is a word of ours.
    static func command(_ id: String, _ text: String) -> HTML {
        """
        <div class="code copybox"><pre id="\(id)" tabindex="0">\(text)</pre>\
        <button type="button" class="mini" data-copy="#\(id)">Copy</button></div>

        """
    }

    /// What was asked for is not there; and where there is something.
    static func empty(_ title: String, _ text: HTML, _ actions: [HTML]) -> HTML {
        """
        <section class="empty"><h2>\(title)</h2>
        <p>\(text)</p>
        \("<p class=\"acts\">\(actions)</p>" as HTML, if: !actions.isEmpty)</section>

        """
    }
}
