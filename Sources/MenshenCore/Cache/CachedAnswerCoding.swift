// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Crypto

/// The form in which answers lie in the cache's database: a version, fixed fields, texts with their lengths, and a
/// checksum over all of it. What does not read back to its last byte is no answer.
extension CachedAnswer {
    /// "mnca" and the version of the form.
    private static let mark = Array("mnca".utf8) + [2]
    private static let checksumLength = 16

    private static func checksum(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        Digest(of: bytes).rawValue.prefix(checksumLength)
    }

    package var encoded: [UInt8] {
        var writer = Writer()
        writer.bytes.reserveCapacity(body.count + fieldLines.count + 1024)
        writer.bytes += Self.mark
        writer.add(UInt64(clamping: status))
        writer.add(storedAt)
        writer.add(UInt64(bitPattern: requestID.rawValue))
        writer.add(isStream ? 1 : 0)
        for text in [model, finishReason, serviceTier] { writer.add(text.map { Array($0.utf8) }) }
        writer.add(fieldLines)
        writer.add(body)
        writer.add(usage == nil ? 0 : 1)
        if let usage {
            for field in Usage.counts {
                let count = usage[keyPath: field]
                writer.add(count == nil ? 0 : 1)
                if let count { writer.add(UInt64(bitPattern: count)) }
            }
            writer.add(usage.seconds == nil ? 0 : 1)
            if let seconds = usage.seconds { writer.add(seconds.bitPattern) }
            writer.add(UInt64(usage.lifetimes.count))
            for write in usage.lifetimes {
                writer.add(UInt64(bitPattern: write.seconds))
                writer.add(UInt64(bitPattern: write.tokens))
            }
            writer.add(usage.statedCost == nil ? 0 : 1)
            if let cost = usage.statedCost { writer.add(UInt64(bitPattern: cost.picodollars)) }
            for text in [usage.speed, usage.inferenceGeo] { writer.add(text.map { Array($0.utf8) }) }
            writer.add(UInt64(usage.other.count))
            for extra in usage.other {
                writer.add(Array(extra.name.utf8))
                writer.add(UInt64(bitPattern: extra.count))
            }
            writer.add(usage.raw)
        }
        writer.bytes += Self.checksum(writer.bytes[...])
        return writer.bytes
    }

    /// nil for bytes that are damaged, or of another version.
    package init?(encoded bytes: [UInt8]) {
        guard bytes.count >= Self.mark.count + Self.checksumLength, bytes.starts(with: Self.mark) else { return nil }
        let content = bytes.dropLast(Self.checksumLength)
        guard Self.checksum(content) == bytes.suffix(Self.checksumLength) else { return nil }
        var reader = Reader(rest: content.dropFirst(Self.mark.count))
        guard let status = reader.number(), let storedAt = reader.number(), let id = reader.number(),
            let isStream = reader.flag()
        else { return nil }
        var texts: [String?] = []
        for _ in 0..<3 {
            guard let text = reader.optional() else { return nil }
            texts.append(text.map { String(decoding: $0, as: UTF8.self) })
        }
        guard let fieldLines = reader.text(), let body = reader.text(), let hasUsage = reader.flag() else { return nil }
        self.init(
            status: Int(clamping: status), fieldLines: Array(fieldLines), body: Array(body), isStream: isStream,
            storedAt: storedAt, requestID: RequestID(rawValue: Int64(bitPattern: id)))
        (model, finishReason, serviceTier) = (texts[0], texts[1], texts[2])
        if hasUsage {
            guard let usage = reader.usage() else { return nil }
            self.usage = usage
        }
        guard reader.rest.isEmpty else { return nil }
    }

    private struct Writer {
        var bytes: [UInt8] = []

        mutating func add(_ number: UInt64) {
            for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: number >> UInt64(8 * shift))) }
        }

        mutating func add(_ text: [UInt8]) {
            add(UInt64(text.count))
            bytes += text
        }

        mutating func add(_ text: [UInt8]?) {
            add(text == nil ? 0 : 1)
            if let text { add(text) }
        }
    }

    private struct Reader {
        var rest: ArraySlice<UInt8>

        mutating func number() -> UInt64? {
            guard rest.count >= 8 else { return nil }
            defer { rest = rest.dropFirst(8) }
            return rest.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }

        mutating func flag() -> Bool? {
            guard let number = number(), number <= 1 else { return nil }
            return number == 1
        }

        mutating func text() -> ArraySlice<UInt8>? {
            guard let count = number(), count <= UInt64(rest.count) else { return nil }
            defer { rest = rest.dropFirst(Int(count)) }
            return rest.prefix(Int(count))
        }

        /// nil if there is no such thing; nil within if there is none of it.
        mutating func optional() -> ArraySlice<UInt8>?? {
            guard let isThere = flag() else { return nil }
            guard isThere else { return .some(nil) }
            guard let text = text() else { return nil }
            return text
        }

        mutating func usage() -> Usage? {
            var usage = Usage()
            for field in Usage.counts {
                guard let isThere = flag() else { return nil }
                if isThere {
                    guard let count = number() else { return nil }
                    usage[keyPath: field] = Int64(bitPattern: count)
                }
            }
            guard let hasSeconds = flag() else { return nil }
            if hasSeconds {
                guard let bits = number() else { return nil }
                usage.seconds = Double(bitPattern: bits)
            }
            guard let lifetimes = number() else { return nil }
            for _ in 0..<lifetimes {
                guard let seconds = number(), let tokens = number() else { return nil }
                usage.lifetimes.append(
                    CacheWrite(seconds: Int64(bitPattern: seconds), tokens: Int64(bitPattern: tokens)))
            }
            guard let hasCost = flag() else { return nil }
            if hasCost {
                guard let cost = number() else { return nil }
                usage.statedCost = Money(picodollars: Int64(bitPattern: cost))
            }
            guard let speed = optional(), let geo = optional() else { return nil }
            usage.speed = speed.map { String(decoding: $0, as: UTF8.self) }
            usage.inferenceGeo = geo.map { String(decoding: $0, as: UTF8.self) }
            guard let extras = number() else { return nil }
            for _ in 0..<extras {
                guard let name = text(), let count = number() else { return nil }
                usage.other.append(
                    Usage.Extra(name: String(decoding: name, as: UTF8.self), count: Int64(bitPattern: count)))
            }
            guard let raw = text() else { return nil }
            usage.raw = Array(raw)
            return usage
        }
    }
}
