// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import HTTP

/// The directives of Cache-Control (RFC 9111 §5.2) that menshen acts upon. What it does not understand is passed over.
package struct CacheControl: Sendable, Equatable {
    package var noStore = false
    package var noCache = false
    package var isPrivate = false
    /// Seconds; the least that was said.
    package var maxAge: Int64?

    package init() {}

    /// A request's. `Pragma: no-cache` counts where there is no Cache-Control (RFC 9111 §5.4).
    package init(request head: RequestHead) {
        self.init()
        var isSaid = false
        for field in head.fields where field.known == .cacheControl {
            isSaid = true
            read(Array(head.bytes[field.value]))
        }
        if isSaid { return }
        for field in head.fields where field.known == .pragma {
            var pragma = CacheControl()
            pragma.read(Array(head.bytes[field.value]))
            noCache = noCache || pragma.noCache
        }
    }

    /// An answer's. Its `no-cache` and `max-age` are read and have no effect: frameworks put them on every stream.
    package init(answer head: ResponseHead) {
        self.init()
        for field in head.fields where field.known == .cacheControl { read(Array(head.bytes[field.value])) }
    }

    /// Whether an answer with these directives may be kept for whom the scope says.
    package func allowsStoring(_ scope: CacheScope) -> Bool { !noStore && !(isPrivate && scope == .instance) }

    /// Elements of a list: a name, or a name with "=" and a token or a quoted text. Commas within quotes are text.
    mutating func read(_ value: [UInt8]) {
        var index = 0
        while index < value.count {
            let name = Self.word(value, &index)
            var argument: [UInt8]?
            if index < value.count, value[index] == UInt8(ascii: "=") {
                index += 1
                argument = Self.argument(value, &index)
            }
            take(String(decoding: name.map(\.lowercased), as: UTF8.self), argument)
            // Whatever else stands here is junk.
            while index < value.count, value[index] != UInt8(ascii: ",") {
                if value[index] == 0x22 { _ = Self.argument(value, &index) } else { index += 1 }
            }
            index += 1
        }
    }

    private mutating func take(_ name: String, _ argument: [UInt8]?) {
        switch name {
        case "no-store": noStore = true
        case "no-cache": noCache = true
        case "private": isPrivate = true
        case "max-age":
            guard let argument, !argument.isEmpty, argument.allSatisfy({ 48...57 ~= $0 }) else { return }
            // RFC 9111 §1.2.2: a number too large counts as a very large one.
            let seconds = Int64(String(decoding: argument, as: UTF8.self)) ?? .max
            maxAge = min(maxAge ?? .max, seconds)
        default: break
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    /// Without the white space around it.
    private static func word(_ value: [UInt8], _ index: inout Int) -> ArraySlice<UInt8> {
        while index < value.count, isSpace(value[index]) { index += 1 }
        let begin = index
        while index < value.count, value[index] != UInt8(ascii: ","), value[index] != UInt8(ascii: "="),
            value[index] != 0x22
        {
            index += 1
        }
        var end = index
        while end > begin, isSpace(value[end - 1]) { end -= 1 }
        return value[begin..<end]
    }

    private static func argument(_ value: [UInt8], _ index: inout Int) -> [UInt8] {
        while index < value.count, isSpace(value[index]) { index += 1 }
        guard index < value.count, value[index] == 0x22 else { return Array(word(value, &index)) }
        index += 1
        var text: [UInt8] = []
        while index < value.count, value[index] != 0x22 {
            if value[index] == 0x5C, index + 1 < value.count { index += 1 }
            text.append(value[index])
            index += 1
        }
        index += 1
        return text
    }
}
