// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Writes a JSON object so that bodies which mean the same to every provider become the same bytes: members sorted, no
/// white space, and some members of the top left out. Strings and numbers stay as they were written: a text spelled in
/// two ways costs a miss, a wrong guess would be a wrong answer. What servers may read in different ways has no such
/// form, nor has what would take long to write. One pass over the bytes; memory is the body's size and 40 bytes for each
/// member of an open object.
package struct CanonicalJSON {
    /// Deeper than any request.
    package static let depthLimit = 64
    /// Of one object.
    package static let memberLimit = 4_000
    /// Of a body, all objects together: a sort may compare each byte of each key a dozen times.
    package static let keyBytesLimit = 128 << 10
    /// Of a body: what stands within others may be moved once for each of them.
    package static let movedBytesLimit = 4 << 20
    /// Of a body: strings, numbers and words count one, members, objects and arrays four each, which is about what they cost.
    package static let workLimit = 60_000

    private struct Member {
        /// First bytes of the folded key, most significant first: most comparisons end here.
        var prefix: UInt64
        var key: Range<Int>
        var text: Range<Int>
    }

    private struct Frame {
        var isObject: Bool
        /// Where its content begins in `output`, and its keys in `folded`.
        var start: Int
        var folded: Int
        var firstMember: Int
        /// The order of its members means something.
        var keepsOrder: Bool
    }

    private let omitted: [[UInt8]]
    private var output: [UInt8] = []
    /// Keys of the open objects as they are compared.
    private var folded: [UInt8] = []
    private var members: [Member] = []
    private var frames: [Frame] = []
    private var scratch: [UInt8] = []
    private var work = 0
    private var keyBytes = 0
    private var movedBytes = 0

    private init(omitting omitted: [[UInt8]], capacity: Int) {
        self.omitted = omitted
        output.reserveCapacity(capacity)
    }

    /// nil for anything but one whole JSON object that has a canonical form. `omitted`: keys of members of the top that
    /// are left out, within their quotes.
    package static func text(_ body: [UInt8], omitting omitted: [[UInt8]]) -> [UInt8]? {
        var writer = CanonicalJSON(omitting: omitted, capacity: body.count)
        return writer.write(body.span) ? writer.output : nil
    }

    // MARK: Structure

    private mutating func write(_ bytes: Span<UInt8>) -> Bool {
        var index = 0
        Self.skipSpace(bytes, &index)
        guard index < bytes.count, bytes[index] == UInt8(ascii: "{") else { return false }
        index &+= 1
        open(isObject: true, keepsOrder: false)
        while let frame = frames.last {
            Self.skipSpace(bytes, &index)
            guard index < bytes.count else { return false }
            let isEmpty = output.count == frame.start && members.count == frame.firstMember
            if bytes[index] == (frame.isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
                // After a comma there must be something.
                guard isEmpty || !isAfterComma else { return false }
                index &+= 1
                guard close(frame), endValue(bytes, &index) else { return false }
                continue
            }
            guard isEmpty || isAfterComma else { return false }
            isAfterComma = false
            var keepsOrder = false
            if frame.isObject { guard readKey(bytes, &index, &keepsOrder) else { return false } }
            guard index < bytes.count else { return false }
            switch bytes[index] {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                guard frames.count < Self.depthLimit, adds(work: 4) else { return false }
                let isObject = bytes[index] == UInt8(ascii: "{")
                index &+= 1
                open(isObject: isObject, keepsOrder: keepsOrder && isObject)
            default:
                let start = index
                guard Self.skipScalar(bytes, &index), adds(work: 1) else { return false }
                append(bytes, start..<index)
                guard endValue(bytes, &index) else { return false }
            }
        }
        Self.skipSpace(bytes, &index)
        return index == bytes.count
    }

    private mutating func adds(work count: Int) -> Bool {
        work &+= count
        return work <= Self.workLimit
    }

    /// The last thing read was a comma.
    private var isAfterComma = false

    private mutating func open(isObject: Bool, keepsOrder: Bool) {
        output.append(isObject ? UInt8(ascii: "{") : UInt8(ascii: "["))
        frames.append(
            Frame(
                isObject: isObject, start: output.count, folded: folded.count, firstMember: members.count,
                keepsOrder: keepsOrder))
        isAfterComma = false
    }

    /// A value has ended; a comma or its container's end follows. Each value is written with a comma behind it.
    private mutating func endValue(_ bytes: Span<UInt8>, _ index: inout Int) -> Bool {
        guard let frame = frames.last else { return true }
        output.append(UInt8(ascii: ","))
        if frame.isObject {
            let last = members.count &- 1
            members[last].text = members[last].text.lowerBound..<output.count
            if frames.count == 1, omitted.contains(where: { output[members[last].text].starts(with: $0) }) {
                output.removeSubrange(members[last].text)
                members[last].text = output.count..<output.count
            }
        }
        Self.skipSpace(bytes, &index)
        guard index < bytes.count else { return false }
        if bytes[index] == UInt8(ascii: ",") {
            index &+= 1
            isAfterComma = true
        }
        return true
    }

    private mutating func close(_ frame: Frame) -> Bool {
        if frame.isObject {
            guard sort(frame) else { return false }
            members.removeLast(members.count &- frame.firstMember)
            folded.removeLast(folded.count &- frame.folded)
        }
        if output.count > frame.start { output.removeLast() }
        output.append(frame.isObject ? UInt8(ascii: "}") : UInt8(ascii: "]"))
        frames.removeLast()
        isAfterComma = false
        return true
    }

    /// Brings the members into the order of their keys; false if some server may take two of them for one.
    private mutating func sort(_ frame: Frame) -> Bool {
        let range = frame.firstMember..<members.count
        if range.count < 2 { return true }
        if isSorted(range) { return true }
        if range.count <= 16 {
            for next in range.dropFirst() {
                var place = next
                while place > range.lowerBound, precedes(members[place], members[place &- 1]) {
                    members.swapAt(place, place &- 1)
                    place &-= 1
                }
            }
        } else {
            members.replaceSubrange(range, with: members[range].sorted { precedes($0, $1) })
        }
        guard isSorted(range) else { return false }
        if frame.keepsOrder { return true }
        movedBytes &+= output.count &- frame.start
        guard movedBytes <= Self.movedBytesLimit else { return false }
        scratch.removeAll(keepingCapacity: true)
        for index in range { scratch.append(contentsOf: output[members[index].text]) }
        output.replaceSubrange(frame.start..., with: scratch)
        return true
    }

    private func isSorted(_ range: Range<Int>) -> Bool {
        for index in range.dropFirst() where !precedes(members[index &- 1], members[index]) { return false }
        return true
    }

    private func precedes(_ left: Member, _ right: Member) -> Bool {
        if left.prefix != right.prefix { return left.prefix < right.prefix }
        let count = min(left.key.count, right.key.count)
        for offset in 0..<count {
            let (a, b) = (folded[left.key.lowerBound &+ offset], folded[right.key.lowerBound &+ offset])
            if a != b { return a < b }
        }
        return left.key.count < right.key.count
    }

    // MARK: Keys

    /// Reads a key and its colon, writes both, and notes the member that begins.
    private mutating func readKey(_ bytes: Span<UInt8>, _ index: inout Int, _ keepsOrder: inout Bool) -> Bool {
        guard let frame = frames.last, members.count - frame.firstMember < Self.memberLimit, adds(work: 4)
        else { return false }
        let start = index
        guard bytes[index] == 0x22, Self.skipScalar(bytes, &index) else { return false }
        let place = folded.count
        guard fold(bytes, start &+ 1..<index &- 1) else { return false }
        let key = place..<folded.count
        keyBytes &+= key.count
        guard keyBytes <= Self.keyBytesLimit else { return false }
        keepsOrder = key.count == Self.properties.count && folded[key].elementsEqual(Self.properties)
        var prefix: UInt64 = 0
        for offset in 0..<8 {
            prefix = prefix << 8 | (offset < key.count ? UInt64(folded[key.lowerBound &+ offset]) : 0)
        }
        members.append(Member(prefix: prefix, key: key, text: output.count..<output.count))
        append(bytes, start..<index)
        output.append(UInt8(ascii: ":"))
        Self.skipSpace(bytes, &index)
        guard index < bytes.count, bytes[index] == UInt8(ascii: ":") else { return false }
        index &+= 1
        Self.skipSpace(bytes, &index)
        return true
    }

    /// The members of a JSON Schema's `properties` are what a model writes, in their order.
    private static let properties = Array("properties".utf8)

    /// Appends a key in the form in which two keys are equal if any server may take them for one: Go's decoder ignores
    /// case, Protocol Buffers take `max_tokens` for `maxTokens`, and an escape is what it stands for. False for a key
    /// that servers repair in different ways.
    private mutating func fold(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        let begin = folded.count
        var isPlain = true
        for index in range {
            let byte = bytes[index]
            if byte == 0x5C || byte >= 0x80 {
                isPlain = false
                break
            }
            if byte != UInt8(ascii: "_"), byte != UInt8(ascii: "-") { folded.append(Self.lowercased(byte)) }
        }
        if isPlain { return true }
        folded.removeSubrange(begin...)
        var text = JSONText()
        text.begin(limit: range.count)
        var index = range.lowerBound
        guard text.take(bytes.extracting(..<(range.upperBound &+ 1)), &index) == .end, !text.isTooLong,
            let key = String(validating: text.bytes, as: UTF8.self)
        else { return false }
        for scalar in key.unicodeScalars {
            switch scalar.value {
            // A lone half of a surrogate pair, and a text's end in C.
            case 0xFFFD, 0: return false
            // Go folds these two into "s" and "k".
            case 0x17F, 0x212A: return false
            default: break
            }
        }
        for byte in text.bytes where byte != UInt8(ascii: "_") && byte != UInt8(ascii: "-") {
            folded.append(Self.lowercased(byte))
        }
        return true
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 { (65...90).contains(byte) ? byte | 0x20 : byte }

    private mutating func append(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        // SAFETY: the span keeps the memory alive during the call, and the slice checks the range.
        unsafe bytes.withUnsafeBufferPointer { unsafe output.append(contentsOf: $0[range]) }
    }
}
