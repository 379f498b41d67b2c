// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CPages

/// The style sheet and the script. Their address names their content, so that a browser keeps them for a year.
package enum Assets {
    private struct Asset: Sendable {
        let name: String
        let contentType: String
        let bytes: [UInt8]

        init(_ stem: String, _ suffix: String, _ contentType: String, _ address: UnsafePointer<UInt8>, _ size: Int) {
            bytes = Array(UnsafeBufferPointer(start: address, count: size))
            // FNV-1a: it only has to change when the content does.
            let hash = bytes.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
            name = "\(stem).\(String(hash, radix: 16)).\(suffix)"
            self.contentType = contentType
        }
    }

    private static let style = Asset("menshen", "css", "text/css; charset=utf-8", cpages_style(), cpages_style_size)
    private static let script = Asset(
        "menshen", "js", "text/javascript; charset=utf-8", cpages_script(), cpages_script_size)

    static var stylePath: String { Address.root + "assets/" + style.name }
    static var scriptPath: String { Address.root + "assets/" + script.name }

    /// `path`: below `/_menshen/ui/`. nil if it is none of them. Needs no sources, and no signing in.
    package static func answer(_ path: [String]) -> PageAnswer? {
        guard path.count == 2, path[0] == "assets" else { return nil }
        guard let asset = [style, script].first(where: { $0.name == path[1] }) else { return nil }
        var answer = PageAnswer(contentType: asset.contentType, body: asset.bytes)
        answer.fields = [("Cache-Control", "public, max-age=31536000, immutable")]
        return answer
    }
}
