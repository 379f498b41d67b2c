// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import SQLite

/// The sums of a slot, or of a part of one, column by column, so that a question reads only what it asks for:
///
///     u8 format, u32 combinations
///     for each dimension: u32 number of its values, their names (u32 each), then for each combination
///         the place of its value among them, in as few bytes as hold it (none if there is but one)
///     for each count: u8 width (0: all are 0), the sums in as many bytes
///     u32 entries of latency, u8 width, for each combination how many are its own; their buckets (u16); u8 width, their counts
///
/// Little-endian throughout.
enum Segment {
    /// Also what its sums mean: those of another format are made anew.
    static let format: UInt8 = 3

    /// `name` gives the number under which the file knows a name.
    static func encode(
        _ builder: SegmentBuilder, name: (Names.Number) throws(SQLiteError) -> Names.Number
    ) throws(SQLiteError) -> [UInt8] {
        var bytes: [UInt8] = [format]
        append(UInt64(builder.count), width: 4, to: &bytes)
        for dimension in 0..<SegmentBuilder.width {
            try append(dimension: dimension, of: builder, to: &bytes, name)
        }
        for count in 0..<SegmentBuilder.countWidth {
            let values = (0..<builder.count).map {
                UInt64(bitPattern: builder.sums[$0 * SegmentBuilder.countWidth + count])
            }
            append(column: values, to: &bytes)
        }
        appendLatencies(of: builder, to: &bytes)
        return bytes
    }

    private static func append(
        dimension: Int, of builder: SegmentBuilder, to bytes: inout [UInt8],
        _ name: (Names.Number) throws(SQLiteError) -> Names.Number
    ) throws(SQLiteError) {
        var places: [Names.Number: Int] = [:]
        var values: [Names.Number] = []
        var column: [UInt64] = []
        column.reserveCapacity(builder.count)
        for combination in 0..<builder.count {
            let number = builder.keys[combination * SegmentBuilder.width + dimension]
            let place = places[number] ?? values.count
            if place == values.count {
                places[number] = place
                values.append(number)
            }
            column.append(UInt64(place))
        }
        append(UInt64(values.count), width: 4, to: &bytes)
        for value in values { append(UInt64(try name(value)), width: 4, to: &bytes) }
        let width = placeWidth(values.count)
        for place in column { append(place, width: width, to: &bytes) }
    }

    /// Bytes of a place among so many values.
    static func placeWidth(_ values: Int) -> Int { values <= 1 ? 0 : values <= 256 ? 1 : values <= 65_536 ? 2 : 4 }

    private static func appendLatencies(of builder: SegmentBuilder, to bytes: inout [UInt8]) {
        var own = [UInt64](repeating: 0, count: builder.count)
        var buckets: [UInt64] = []
        var counts: [UInt64] = []
        var last: UInt64?
        for entry in builder.latencies.sorted() {
            if entry == last {
                counts[counts.count - 1] += 1
                continue
            }
            last = entry
            own[Int(entry >> 16)] += 1
            buckets.append(entry & 0xffff)
            counts.append(1)
        }
        append(UInt64(buckets.count), width: 4, to: &bytes)
        append(column: own, to: &bytes)
        for bucket in buckets { append(bucket, width: 2, to: &bytes) }
        append(column: counts, to: &bytes)
    }

    private static func append(column: [UInt64], to bytes: inout [UInt8]) {
        let most = column.max() ?? 0
        let width = most == 0 ? 0 : most < 1 << 8 ? 1 : most < 1 << 16 ? 2 : most < 1 << 32 ? 4 : 8
        bytes.append(UInt8(width))
        for value in column { append(value, width: width, to: &bytes) }
    }

    private static func append(_ value: UInt64, width: Int, to bytes: inout [UInt8]) {
        for byte in 0..<width { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * UInt64(byte)))) }
    }
}

/// Where the columns of a segment begin. Of bytes that are no whole segment none is made.
struct SegmentView {
    struct Column {
        let base: UnsafeRawPointer
        let width: Int

        @inline(__always)
        subscript(_ index: Int) -> UInt64 {
            switch width {
            case 0: 0
            case 1: UInt64(base.load(fromByteOffset: index, as: UInt8.self))
            case 2: UInt64(base.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self))
            case 4: UInt64(base.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self))
            default: base.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self)
            }
        }
    }

    struct DimensionColumn {
        let values: [Names.Number]
        let places: Column
    }

    let combinations: Int
    private let dimensions: [DimensionColumn]
    private let counts: [Column]
    private let latencyEntries: UInt64
    let latencyOwn: Column
    let latencyBuckets: Column
    let latencyCounts: Column

    init?(_ bytes: UnsafeRawBufferPointer) {
        var reader = SegmentReader(bytes)
        guard reader.number(1) == UInt64(Segment.format), let combinations = reader.number(4).map({ Int($0) }) else {
            return nil
        }
        self.combinations = combinations
        var dimensions: [DimensionColumn] = []
        for _ in 0..<SegmentBuilder.width {
            guard let count = reader.number(4).map({ Int($0) }), let names = reader.column(count, width: 4),
                let places = reader.column(combinations, width: Segment.placeWidth(count))
            else { return nil }
            dimensions.append(
                DimensionColumn(values: (0..<count).map { Names.Number(names[$0]) }, places: places))
        }
        self.dimensions = dimensions
        var counts: [Column] = []
        for _ in 0..<SegmentBuilder.countWidth {
            guard let column = reader.sizedColumn(combinations) else { return nil }
            counts.append(column)
        }
        self.counts = counts
        guard let entries = reader.number(4).map({ Int($0) }), let own = reader.sizedColumn(combinations),
            let buckets = reader.column(entries, width: 2), let numbers = reader.sizedColumn(entries), reader.isAtEnd
        else { return nil }
        latencyEntries = UInt64(entries)
        (latencyOwn, latencyBuckets, latencyCounts) = (own, buckets, numbers)
    }

    /// Whether what a query reads of it lies within it: places have a value, and times of first bytes a bucket.
    func isSound(for query: ReportQuery) -> Bool {
        for dimension in Set(query.groups + query.filters.flatMap(\.choices).map(\.dimension)) {
            let column = self[dimension]
            let count = UInt64(column.values.count)
            for combination in 0..<combinations where column.places[combination] >= count { return false }
        }
        if !query.wantsLatency { return true }
        var entries: UInt64 = 0
        for combination in 0..<combinations {
            entries = entries.addingReportingOverflow(latencyOwn[combination]).partialValue
            if latencyOwn[combination] > latencyEntries || entries > latencyEntries { return false }
        }
        return (0..<Int(latencyEntries)).allSatisfy {
            latencyBuckets[$0] < LatencyHistogram.bucketCount && latencyCounts[$0] <= UInt64(Int64.max)
        }
    }

    subscript(_ dimension: Dimension) -> DimensionColumn {
        dimensions[Dimension.allCases.firstIndex(of: dimension) ?? 0]
    }
    subscript(_ count: ReportSums.Count) -> Column { counts[count.rawValue] }
}

/// Walks over a segment's bytes, and never past their end.
private struct SegmentReader {
    private let bytes: UnsafeRawBufferPointer
    private var offset = 0
    /// What an empty column points to.
    private let start: UnsafeRawPointer

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
        start = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1).unsafelyUnwrapped
    }

    var isAtEnd: Bool { offset == bytes.count }

    mutating func number(_ width: Int) -> UInt64? { column(1, width: width)?[0] }

    mutating func column(_ count: Int, width: Int) -> SegmentView.Column? {
        let (length, overflows) = count.multipliedReportingOverflow(by: width)
        guard !overflows, length <= bytes.count - offset, [0, 1, 2, 4, 8].contains(width) else { return nil }
        defer { offset += length }
        return SegmentView.Column(base: start + offset, width: width)
    }

    mutating func sizedColumn(_ count: Int) -> SegmentView.Column? {
        guard let width = number(1) else { return nil }
        return column(count, width: Int(width))
    }
}
