// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Testing

/// Links between documents work, in the repository and where the documents are installed.
@Suite struct DocumentLinks {
    private static let installed = "/usr/share/doc/menshen/"
    private static let manual = "contrib/manual"

    private struct Link {
        let file: String
        /// Of a heading; nil if the link leads to the whole file.
        let anchor: String?
    }

    @Test(arguments: Documentation.markdown)
    func `links lead to files and headings that exist`(_ path: String) throws {
        for link in try Self.links(of: path) {
            #expect(Repository.exists(link.file), "\(path): \(link.file)")
            guard let anchor = link.anchor, link.file.hasSuffix(".md") else { continue }
            #expect(try Self.anchors(of: link.file).contains(anchor), "\(path): \(link.file)#\(anchor)")
        }
    }

    @Test func `the manual's links stay within the manual, which is installed flat`() throws {
        let pages = Repository.files(below: Self.manual, ending: [".md"])
        #expect(pages.count > 5)
        for page in pages {
            for link in try Self.links(of: page) { #expect(pages.contains(link.file), "\(page): \(link.file)") }
        }
    }

    @Test func `what the README links of manual and examples is installed beside it`() throws {
        let text = try Repository.text("README.md")
        for line in [
            "sudo install -D -m 0644 -t /usr/share/doc/menshen README.md contrib/manual/*.md",
            "sudo install -D -m 0644 -t /usr/share/doc/menshen/examples contrib/examples/*",
            "sudo sed -i 's|(contrib/manual/|(|; s|(contrib/examples/|(examples/|' /usr/share/doc/menshen/README.md",
        ] { #expect(text.contains("\n\(line)\n"), "\(line)") }
    }

    @Test func `documents that units and the catalogue name are installed`() throws {
        var named = 0
        for path in Repository.files(below: "systemd") {
            for part in try Repository.text(path).split(separator: "file:\(Self.installed)").dropFirst() {
                let name = part.prefix { !$0.isWhitespace }
                named += 1
                #expect(name == "README.md" || Repository.exists("\(Self.manual)/\(name)"), "\(path): \(name)")
            }
        }
        #expect(named > 20)
    }

    /// Those that lead to files of the repository.
    private static func links(of path: String) throws -> [Link] {
        let folder = path.split(separator: "/").dropLast()
        return try Repository.text(path).split(separator: "](").dropFirst().compactMap { part in
            let target = part.prefix { $0 != ")" }
            if target.contains("://") || target.contains("\n") || target.isEmpty { return nil }
            let file = target.prefix { $0 != "#" }
            let anchor = file.count < target.count ? String(target.dropFirst(file.count + 1)) : nil
            if file.isEmpty { return Link(file: path, anchor: anchor) }
            var resolved = Array(folder)
            for segment in file.split(separator: "/") {
                if segment == ".." { _ = resolved.popLast() } else if segment != "." { resolved.append(segment) }
            }
            return Link(file: resolved.joined(separator: "/"), anchor: anchor)
        }
    }

    /// What headings are called in links: small letters, dashes for blanks, and no other marks.
    private static func anchors(of path: String) throws -> [String] {
        try Repository.lines(path).filter { $0.hasPrefix("#") }.map { line in
            let words = line.drop { $0 == "#" }.dropFirst().lowercased()
            return String(words.compactMap { $0 == " " ? "-" : $0.isLetter || $0.isNumber || $0 == "-" ? $0 : nil })
        }
    }
}
