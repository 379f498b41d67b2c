// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A kept body as people read it: JSON in lines, a stream as the text that its events make.
package enum KeptBody {
    package static func readable(_ body: [UInt8]) -> String {
        if let text = streamed(body) { return text + (text.hasSuffix("\n") ? "" : "\n") }
        let text = String(decoding: body, as: UTF8.self)
        guard let first = body.first(where: { !" \t\r\n".utf8.contains($0) }), "{[".utf8.contains(first) else {
            return text
        }
        return indented(body) + "\n"
    }

    /// The texts of a stream's events one after another, as all dialects have them; nil if it is none.
    private static func streamed(_ body: [UInt8]) -> String? {
        let lines = body.split(separator: UInt8(ascii: "\n"))
        guard lines.contains(where: { $0.starts(with: "data:".utf8) }) else { return nil }
        var text = ""
        for line in lines where line.starts(with: "data:".utf8) {
            var scanner = JSONScanner(
                JSONPaths([
                    "choices[].delta.reasoning_content", "choices[].delta.content", "choices[].text", "delta.thinking",
                    "delta.text", "delta.partial_json", "delta", "candidates[].content.parts[].text",
                ]), textLimit: 1 << 20)
            let data = Array(line.dropFirst(5))
            scanner.feed(data.span)
            for finding in scanner.found { text += finding.string ?? "" }
        }
        return text
    }

    /// With two spaces a level. What is no JSON stays as it is.
    private static func indented(_ body: [UInt8]) -> String {
        var output: [UInt8] = []
        var depth = 0
        var isInString = false
        var isEscaped = false
        func newLine() {
            output.append(UInt8(ascii: "\n"))
            output.append(contentsOf: repeatElement(UInt8(ascii: " "), count: depth * 2))
        }
        for (index, byte) in body.enumerated() {
            if isInString {
                output.append(byte)
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""):
                isInString = true
                output.append(byte)
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                output.append(byte)
                let next = body[(index + 1)...].first { !" \t\r\n".utf8.contains($0) }
                depth = min(depth + 1, 200)
                if next != UInt8(ascii: "}"), next != UInt8(ascii: "]") { newLine() }
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                depth = max(0, depth - 1)
                if output.last != UInt8(ascii: "{"), output.last != UInt8(ascii: "[") { newLine() }
                output.append(byte)
            case UInt8(ascii: ","):
                output.append(byte)
                newLine()
            case UInt8(ascii: ":"): output.append(contentsOf: ": ".utf8)
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"): break
            default: output.append(byte)
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}
