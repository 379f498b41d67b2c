// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP

/// Takes out of a chat stream the chunk that only menshen asked for: `choices` empty, `usage` an object. Everything else
/// passes as it came: the bytes of an event wait until it is whole, or longer than any such chunk, a comment's for its
/// line's end.
package struct UsageChunkFilter: Sendable {
    /// The chunk has about 600 bytes.
    private static let heldLimit = 64 << 10
    private static let paths = JSONPaths(["choices", "choices[]", "usage"])

    private var stream = EventStream()
    private var held: [UInt8] = []
    private var isPassing = false
    /// The last event ended with CR, and was kept: an LF after it goes the same way.
    private var endedWithCR = false
    private var wasKept = true

    package init() {}

    /// What of the stream may go down now.
    package mutating func pass(_ bytes: Span<UInt8>) -> [UInt8] {
        var output: [UInt8] = []
        var index = 0
        var begin = 0
        if endedWithCR, !bytes.isEmpty { takeLineFeed(bytes, &begin, &output) }
        while true {
            switch stream.next(bytes, &index) {
            case .data, .nextLine: break
            case .passed:
                held.append(bytes, begin..<index)
                begin = index
                output.append(contentsOf: held)
                held.removeAll(keepingCapacity: true)
            case .dispatch:
                held.append(bytes, begin..<index)
                begin = index
                wasKept = isPassing || !Self.isUsageAlone(held.span)
                if wasKept { output.append(contentsOf: held) }
                held.removeAll(keepingCapacity: true)
                endedWithCR = bytes[index &- 1] == 13
                if endedWithCR, index < bytes.count { takeLineFeed(bytes, &begin, &output) }
                isPassing = false
            case .more:
                held.append(bytes, begin..<bytes.count)
                if held.count > Self.heldLimit { isPassing = true }
                if isPassing {
                    output.append(contentsOf: held)
                    held.removeAll(keepingCapacity: true)
                }
                return output
            }
        }
    }

    /// The stream passes over it by itself; here it is kept or dropped with its event.
    private mutating func takeLineFeed(_ bytes: Span<UInt8>, _ begin: inout Int, _ output: inout [UInt8]) {
        endedWithCR = false
        guard bytes[begin] == 10 else { return }
        begin &+= 1
        if wasKept { output.append(10) }
    }

    /// What still waits, when the stream has ended.
    package mutating func end() -> [UInt8] {
        defer { held = [] }
        return held
    }

    /// Only an event with an empty array in it is worth reading, which hardly any other has.
    private static func isUsageAlone(_ event: Span<UInt8>) -> Bool {
        guard hasEmptyArray(event) else { return false }
        var stream = EventStream()
        var scanner = JSONScanner(paths)
        var index = 0
        reading: while true {
            switch stream.next(event, &index) {
            case .data(let range): if !scanner.isFailed { scanner.feed(event.extracting(range)) }
            case .nextLine, .passed: break
            case .dispatch, .more: break reading
            }
        }
        guard !scanner.isFailed else { return false }
        var hasUsage = false
        var isEmpty = false
        for finding in scanner.found {
            switch finding.path {
            case 0: isEmpty = finding.kind == .array
            case 1: return false
            default: hasUsage = finding.kind == .object
            }
        }
        return hasUsage && isEmpty
    }

    private static func hasEmptyArray(_ bytes: Span<UInt8>) -> Bool {
        let opening = UInt8(ascii: "[")
        if ByteSearch.second(of: opening, UInt8(ascii: "]"), in: bytes, from: 0) != nil { return true }
        // Or with blanks and line ends between.
        return [0x20, 0x0A, 0x0D, 0x09].contains { ByteSearch.second(of: opening, $0, in: bytes, from: 0) != nil }
    }
}
