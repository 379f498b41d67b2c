// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP

/// Reads the fields of a form (multipart/form-data, RFC 7578) as it comes: an upload names its model in one. Files are
/// passed over; what is no form says nothing.
package struct FormScan: Sendable {
    private enum Place {
        case boundary
        /// After a boundary: the rest of its line, or the "--" that ends the form.
        case lineEnd
        case headers
        case value
        case done
    }

    private enum Field: String {
        case model, stream, user
        case serviceTier = "service_tier"
    }

    /// Of one form. An upload of sixteen pictures has a fifth of it.
    package static let maxParts = 128
    /// Bytes of the heads of all parts.
    package static let maxHeadBytes = 16 << 10
    /// Longest line of a part's head, and longest value that is kept.
    private static let lineLimit = 1024
    private static let valueLimit = 256

    /// CR LF, two dashes and the boundary.
    private let delimiter: [UInt8]
    /// Bytes of the delimiter that were just read. Its first stands nowhere else in it, so no match begins within another.
    /// The first boundary stands at the very start, as if a line had ended there.
    private var matched = 2
    private var place = Place.boundary
    private var line: [UInt8] = []
    private var isLineTooLong = false
    /// Of the present part.
    private var hasDisposition = false
    private var isCoded = false
    private var field: Field?
    private var value: [UInt8] = []
    package private(set) var facts = RequestFacts()
    /// The form has more parts, or more in their heads, than any program sends; no more of it is read.
    package private(set) var isExcessive = false
    private var parts = 0
    private var headBytes = 0
    /// Bytes fed before this piece, and where the present part's value begins.
    private var offset = 0
    private var valueStart = 0
    /// Where the model's name stands, each time.
    private var modelRanges: [Range<Int>] = []
    /// Two of them differ, or one came after `decide`.
    private var hasSeveralModels = false
    private var isDecided = false
    /// Some servers would read it as another form.
    private var isOdd = false

    /// nil for a content type that is no form's, or has no boundary.
    package init?(contentType: String) {
        guard contentType.lowercased().hasPrefix("multipart/form-data"),
            let boundary = Self.parameter("boundary", of: contentType), 1...70 ~= boundary.utf8.count,
            boundary.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F })
        else { return nil }
        delimiter = [0x0D, 0x0A, 0x2D, 0x2D] + Array(boundary.utf8)
    }

    package mutating func feed(_ bytes: Span<UInt8>) {
        var index = 0
        while index < bytes.count {
            switch place {
            case .boundary, .value: passValue(bytes, &index)
            case .lineEnd:
                takeLineEnd(bytes[index])
                index &+= 1
            case .headers:
                takeHeader(bytes[index])
                index &+= 1
                headBytes &+= 1
                if headBytes > Self.maxHeadBytes { exceed() }
                if place == .value { valueStart = offset &+ index }
            case .done:
                offset &+= bytes.count
                return
            }
        }
        offset &+= bytes.count
    }

    /// Where what was fed of the form names the model.
    package var modelPlaces: ModelPlaces { ModelPlaces(ranges: modelRanges, form: .plain) }

    /// The request goes its way by what was fed: a model that comes later is another one.
    package mutating func decide() { isDecided = true }

    /// nil: the model is `facts.model`, or the form names none. `isWhole`: all of it has been fed.
    package func modelFault(isWhole: Bool) -> ModelFault? {
        if hasSeveralModels { return .several }
        if isOdd || isWhole && place != .done { return .oddForm }
        return !isWhole && facts.model == nil ? .notInPrefix : nil
    }

    private mutating func passValue(_ bytes: Span<UInt8>, _ index: inout Int) {
        while index < bytes.count {
            let byte = bytes[index]
            if byte == delimiter[matched] {
                index &+= 1
                matched &+= 1
                if matched == delimiter.count { return boundaryEnded(at: offset &+ index &- delimiter.count) }
            } else if matched > 0 {
                // It was none; this byte may begin the next.
                for place in 0..<matched { keep(delimiter[place]) }
                matched = 0
            } else if field == nil {
                // Files are long, and have nothing for us up to the next line.
                repeat { index &+= 1 } while index < bytes.count && bytes[index] != 0x0D
            } else {
                keep(byte)
                index &+= 1
            }
        }
    }

    private mutating func keep(_ byte: UInt8) {
        guard field != nil else { return }
        if value.count < Self.valueLimit { return value.append(byte) }
        if field == .model { isOdd = true }
        field = nil
    }

    private mutating func boundaryEnded(at end: Int) {
        let text = String(validating: value, as: UTF8.self)
        if field == .model, text == nil || isCoded { isOdd = true }
        if let field, let text {
            switch field {
            case .model:
                if isDecided || !modelRanges.isEmpty && facts.model != text { hasSeveralModels = true }
                facts.model = text
                modelRanges.append(valueStart..<end)
            case .stream: facts.isStream = text == "true" || text == "1" ? true : text == "false" ? false : nil
            case .user: facts.endUser = text
            case .serviceTier: facts.serviceTier = text
            }
        }
        field = nil
        hasDisposition = false
        isCoded = false
        value.removeAll(keepingCapacity: true)
        matched = 0
        line.removeAll(keepingCapacity: true)
        isLineTooLong = false
        place = .lineEnd
        parts &+= 1
        // The last boundary ends the last part.
        if parts > Self.maxParts + 1 { exceed() }
    }

    private mutating func exceed() {
        place = .done
        isExcessive = true
        facts = RequestFacts()
        modelRanges = []
    }

    private mutating func takeLineEnd(_ byte: UInt8) {
        switch byte {
        case 0x0A: place = .headers
        case 0x2D:
            line.append(byte)
            if line.count == 2 { place = .done }
        case 0x0D, 0x20, 0x09: break
        default:
            place = .done
            isOdd = true
        }
        if place == .headers { line.removeAll(keepingCapacity: true) }
    }

    private mutating func takeHeader(_ byte: UInt8) {
        guard byte == 0x0A else {
            if line.count < Self.lineLimit { line.append(byte) } else { isLineTooLong = true }
            return
        }
        if line.last == 0x0D { line.removeLast() }
        if line.isEmpty, !isLineTooLong {
            place = .value
            return
        }
        readHeader()
        line.removeAll(keepingCapacity: true)
        isLineTooLong = false
    }

    private static let disposition = Array("content-disposition:".utf8)
    private static let transferEncoding = Array("content-transfer-encoding:".utf8)

    private func lineBegins(with name: [UInt8]) -> Bool {
        line.count > name.count && line.span.equals(name, in: 0..<name.count)
    }

    private mutating func readHeader() {
        // A folded line goes on with the one before it, or is ignored.
        if line.first == 0x20 || line.first == 0x09 { isOdd = true }
        if lineBegins(with: Self.transferEncoding) {
            let coding = String(decoding: line.dropFirst(Self.transferEncoding.count), as: UTF8.self).lowercased()
            isCoded = coding.contains("quoted-printable") || coding.contains("base64")
        }
        guard lineBegins(with: Self.disposition) else { return }
        if hasDisposition || isLineTooLong { isOdd = true }
        hasDisposition = true
        if isLineTooLong { return }
        var names: [String] = []
        var isFile = false
        Self.parameters(of: String(decoding: line, as: UTF8.self)) { key, value in
            if key == "name" { names.append(value) }
            // Which of the two counts is each server's own choice.
            if key == "name*" { names += ["", ""] }
            if key == "filename" || key == "filename*" { isFile = true }
        }
        field = names.first.flatMap(Field.init)
        // Without a file's name in it, an empty one, it is a field to some.
        if names.count > 1 || isFile && field == .model { isOdd = true }
        if isFile { field = nil }
    }

    /// The first parameter of that name of a header's value, unquoted.
    private static func parameter(_ name: String, of header: String) -> String? {
        var found: String?
        parameters(of: header) { key, value in if key == name { found = found ?? value } }
        return found
    }

    /// Each parameter of a header's value: its name in small letters, and its value, unquoted.
    private static func parameters(of header: String, _ take: (String, String) -> Void) {
        var rest = Substring(header)
        while let semicolon = rest.firstIndex(of: ";") {
            rest = rest[rest.index(after: semicolon)...].drop { $0 == " " || $0 == "\t" }
            guard let equals = rest.firstIndex(where: { $0 == "=" || $0 == ";" }), rest[equals] == "=" else { continue }
            let key = rest[..<equals].lowercased()
            rest = rest[rest.index(after: equals)...]
            var value = ""
            if rest.first == "\"" {
                rest.removeFirst()
                while let character = rest.popFirst(), character != "\"" {
                    if character == "\\", let escaped = rest.popFirst() {
                        value.append(escaped)
                    } else {
                        value.append(character)
                    }
                }
            } else {
                value = String(rest.prefix { $0 != ";" && $0 != " " && $0 != "\t" })
                rest = rest.dropFirst(value.count)
            }
            take(key, value)
        }
    }
}
