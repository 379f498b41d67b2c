// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Names one request everywhere: the SQLite row, the journal entry, the answer's `x-menshen-request-id`.
/// Unix microseconds in the upper bits and a sequence in the lower ones, so ids sort by time, until 2255; the text form
/// is 13 characters of Crockford's base 32.
package struct RequestID: Sendable, Hashable, CustomStringConvertible {
    package let rawValue: Int64
    /// 64 workers have 16 ids each in a microsecond, and borrow from the next if that is not enough.
    package static let sequenceBits: Int64 = 10

    package init(rawValue: Int64) { self.rawValue = rawValue }

    private static let digits = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)

    package var description: String { String(decoding: ascii, as: UTF8.self) }

    /// The text form's bytes.
    package var ascii: [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(13)
        for place in 0..<13 { text.append(Self.digits[Int(rawValue >> Int64(60 - 5 * place)) & 31]) }
        return text
    }

    /// Reads the text form back; nil for anything else.
    package init?(_ text: String) {
        guard text.utf8.count == 13 else { return nil }
        var value: UInt64 = 0
        for byte in text.utf8 {
            guard let digit = Self.digits.firstIndex(of: byte) else { return nil }
            // 13 digits hold 65 bits: what would fall off the top makes a second name for one request.
            guard value >> 59 == 0 else { return nil }
            value = value << 5 | UInt64(digit)
        }
        guard let raw = Int64(exactly: value) else { return nil }
        rawValue = raw
    }

    /// Unix microseconds at which the request began.
    package var microseconds: Int64 { rawValue >> Self.sequenceBits }

    /// The smallest id of that moment.
    package init(microseconds: Int64) { rawValue = microseconds << Self.sequenceBits }

    /// Hands out ids that only grow, even when the clock steps back. One per worker.
    package struct Source {
        private var last: Int64 = 0
        private let worker: Int64
        private let workers: Int64

        /// `worker` of `workers`: ids of different workers never meet.
        package init(worker: Int, of workers: Int) {
            self.worker = Int64(worker)
            self.workers = Int64(workers)
        }

        package mutating func next(wallMicroseconds: UInt64) -> RequestID {
            var raw = RequestID(microseconds: Int64(wallMicroseconds)).rawValue
            if raw <= last { raw = last + 1 }
            raw += (worker - raw % workers + workers) % workers
            last = raw
            return RequestID(rawValue: raw)
        }
    }
}
