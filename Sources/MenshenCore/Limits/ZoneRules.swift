// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// How far a time zone's clocks are ahead of UTC, at any time: what a TZif file (RFC 9636) says. All times are seconds since
/// 1970.
package struct ZoneRules: Sendable, Equatable {
    package static let utc = ZoneRules(name: "UTC", times: [], offsets: [], first: 0, yearly: nil)

    /// A time with one offset.
    struct Stretch: Equatable {
        let start: Int64
        let end: Int64
        let offset: Int64
    }

    package let name: String
    /// When the offset changes, and to what.
    private let times: [Int64]
    private let offsets: [Int64]
    /// Before all that.
    private let first: Int64
    /// After all that.
    private let yearly: YearlyRule?

    private init(name: String, times: [Int64], offsets: [Int64], first: Int64, yearly: YearlyRule?) {
        self.name = name
        self.times = times
        self.offsets = offsets
        self.first = first
        self.yearly = yearly
    }

    func stretch(at time: Int64) -> Stretch {
        var (low, high) = (0, times.count)
        while low < high {
            let middle = (low + high) / 2
            if times[middle] <= time { low = middle + 1 } else { high = middle }
        }
        if low < times.count {
            return Stretch(
                start: low == 0 ? .min : times[low - 1], end: times[low], offset: low == 0 ? first : offsets[low - 1])
        }
        let start = times.last ?? .min
        guard let yearly else { return Stretch(start: start, end: .max, offset: offsets.last ?? first) }
        let found = yearly.stretch(at: time)
        return Stretch(start: max(start, found.start), end: found.end, offset: found.offset)
    }

    /// What clocks show, as if that were UTC.
    package func local(_ time: Int64) -> Int64 { time + stretch(at: time).offset }

    /// The first moment at which clocks show `local` or later: midnight may be left out, and come twice.
    package func time(local: Int64) -> Int64 {
        // No offset is more than 26 hours.
        var time = local - 26 * 3600
        while true {
            let stretch = stretch(at: time)
            let wanted = max(time, local - stretch.offset)
            if wanted < stretch.end { return wanted }
            time = stretch.end
        }
    }

    /// "2026-12-01 00:00 (Europe/Berlin)".
    package func text(_ time: Int64) -> String {
        let (day, second) = clock(time)
        return "\(day) \(CivilDay.two(second / 3600)):\(CivilDay.two(second / 60 % 60)) (\(name))"
    }

    /// RFC 3339: "2026-12-01T00:00:00+01:00".
    package func stamp(_ time: Int64) -> String {
        let (day, second) = clock(time)
        let offset = stretch(at: time).offset
        let minutes = offset.magnitude / 60
        let zone = "\(offset < 0 ? "-" : "+")\(CivilDay.two(Int64(minutes / 60))):\(CivilDay.two(Int64(minutes % 60)))"
        return "\(day)T\(CivilDay.clock(second))\(zone)"
    }

    private func clock(_ time: Int64) -> (day: String, second: Int64) {
        let local = local(time)
        let number = local.floored(by: CivilDay.seconds)
        return (CivilDay(number: number).text, local - number * CivilDay.seconds)
    }
}

// MARK: Reading

extension ZoneRules {
    /// nil for bytes of another form.
    package init?(_ bytes: [UInt8], name: String) {
        var reader = ByteReader(bytes)
        guard let first = reader.header() else { return nil }
        guard first.version >= UInt8(ascii: "2") else {
            self.init(&reader, first, timeSize: 4, name)
            return
        }
        // The first block is for programs of before 2005.
        guard reader.skip(first.size(4)), let second = reader.header() else { return nil }
        self.init(&reader, second, timeSize: 8, name)
    }

    private init?(_ reader: inout ByteReader, _ header: ByteReader.Header, timeSize: Int, _ name: String) {
        guard header.types > 0, header.size(timeSize) <= reader.rest else { return nil }
        let times = (0..<header.times).map { _ in reader.integer(timeSize) }
        let kinds = (0..<header.times).map { _ in Int(reader.integer(1) & 0xFF) }
        let types = (0..<header.types).map { _ in
            let offset = reader.integer(4)
            _ = reader.skip(2)
            return offset
        }
        guard kinds.allSatisfy({ $0 < types.count }), types.allSatisfy({ abs($0) <= 26 * 3600 }),
            zip(times, times.dropFirst()).allSatisfy({ $0 < $1 })
        else { return nil }
        let after = header.size(timeSize) - header.times * (timeSize + 1) - header.types * 6
        guard reader.skip(after) else { return nil }
        var yearly: YearlyRule?
        if timeSize == 8 {
            let footer = reader.line()
            if !footer.isEmpty {
                guard let rule = YearlyRule(footer) else { return nil }
                yearly = rule
            }
        }
        self.init(name: name, times: times, offsets: kinds.map { types[$0] }, first: types[0], yearly: yearly)
    }
}

/// Reads a TZif file.
private struct ByteReader {
    struct Header {
        let version: UInt8
        let flags: Int
        let leaps: Int
        let times: Int
        let types: Int
        let characters: Int

        /// Bytes of what follows it.
        func size(_ timeSize: Int) -> Int {
            times * (timeSize + 1) + types * 6 + characters + leaps * (timeSize + 4) + flags
        }
    }

    private let bytes: [UInt8]
    private var index = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var rest: Int { bytes.count - index }

    mutating func skip(_ count: Int) -> Bool {
        guard count >= 0, count <= rest else { return false }
        index += count
        return true
    }

    mutating func header() -> Header? {
        guard rest >= 44, bytes[index..<index + 4].elementsEqual("TZif".utf8) else { return nil }
        let version = bytes[index + 4]
        index += 20
        let counts = (0..<6).map { _ in Int(integer(4)) }
        guard counts.allSatisfy({ (0...1 << 20).contains($0) }) else { return nil }
        return Header(
            version: version, flags: counts[0] + counts[1], leaps: counts[2], times: counts[3], types: counts[4],
            characters: counts[5])
    }

    /// Big-endian, with a sign. The caller has looked how many bytes there are.
    mutating func integer(_ size: Int) -> Int64 {
        var value: UInt64 = 0
        for byte in bytes[index..<index + size] { value = value << 8 | UInt64(byte) }
        index += size
        let shift = UInt64(64 - 8 * size)
        return Int64(bitPattern: value << shift) >> Int64(shift)
    }

    /// Between two line feeds.
    mutating func line() -> ArraySlice<UInt8> {
        guard rest > 0, bytes[index] == 10 else { return [] }
        return bytes[(index + 1)...].prefix { $0 != 10 }
    }
}
