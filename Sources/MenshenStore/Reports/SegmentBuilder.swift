// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
internal import MenshenCore
internal import SQLite

/// Adds up rows that have all dimensions in common. Belongs to one thread.
final class SegmentBuilder {
    static let width = Dimension.allCases.count
    static let countWidth = ReportSums.Count.allCases.count

    private let names: Names
    private var columns: [TextColumn]
    /// `width` numbers for each combination.
    private(set) var keys: [Names.Number] = []
    /// `countWidth` sums for each combination.
    private(set) var sums: [Int64] = []
    /// Combination << 16 | bucket of a first byte.
    private(set) var latencies: [UInt64] = []
    private(set) var count = 0
    /// Places of combinations by their hash, plus one; 0 is free. Its size is a power of two.
    private var table = [UInt32](repeating: 0, count: 256)
    private var key = [Names.Number](repeating: 0, count: width)

    init(_ names: Names) {
        self.names = names
        columns = (0..<Self.width).map { TextColumn(column: RollUpColumns.firstDimension + Int32($0)) }
    }

    /// Begins anew. What was learnt of names stays.
    func clear() {
        keys.removeAll(keepingCapacity: true)
        sums.removeAll(keepingCapacity: true)
        latencies.removeAll(keepingCapacity: true)
        count = 0
        for place in table.indices { table[place] = 0 }
    }

    /// `row` has `RollUpColumns.select`.
    func add(_ row: Statement) throws(SQLiteError) {
        for index in 0..<Self.width { key[index] = try columns[index].number(row, names) }
        let place = find()
        let base = place * Self.countWidth
        for index in 0..<Self.countWidth {
            guard let value = row.integer(RollUpColumns.firstCount + Int32(index)), value != 0 else { continue }
            sums[base + index] = sums[base + index].saturatingAdd(value)
        }
        if let time = row.integer(RollUpColumns.latency) {
            latencies.append(UInt64(place) << 16 | UInt64(LatencyHistogram.bucket(of: time)))
        }
    }

    private func find() -> Int {
        let mask = table.count - 1
        var place = Self.hash(key, 0) & mask
        while table[place] != 0 {
            let found = Int(table[place]) - 1
            if isKey(at: found) { return found }
            place = (place + 1) & mask
        }
        table[place] = UInt32(count + 1)
        keys.append(contentsOf: key)
        sums.append(contentsOf: repeatElement(0, count: Self.countWidth))
        count += 1
        if count * 2 > table.count { grow() }
        return count - 1
    }

    private func isKey(at place: Int) -> Bool {
        let base = place * Self.width
        for index in 0..<Self.width where keys[base + index] != key[index] { return false }
        return true
    }

    private func grow() {
        table = [UInt32](repeating: 0, count: table.count * 2)
        let mask = table.count - 1
        for combination in 0..<count {
            var place = Self.hash(keys, combination * Self.width) & mask
            while table[place] != 0 { place = (place + 1) & mask }
            table[place] = UInt32(combination + 1)
        }
    }

    private static func hash(_ keys: [Names.Number], _ base: Int) -> Int {
        var hash: UInt64 = 0x9e37_79b9_7f4a_7c15
        for index in 0..<width {
            hash = (hash ^ UInt64(keys[base + index])) &* 0xff51_afd7_ed55_8ccd
            hash ^= hash >> 32
        }
        return Int(truncatingIfNeeded: hash & 0x7fff_ffff_ffff_ffff)
    }
}

/// The numbers of a column's texts. Most rows have what the one before had.
private struct TextColumn {
    let column: Int32
    private var last: [UInt8] = []
    private var lastNumber = Names.none
    private var isFresh = true

    init(column: Int32) { self.column = column }

    mutating func number(_ row: Statement, _ names: Names) throws(SQLiteError) -> Names.Number {
        var text: String?
        let isNull = row.withBytes(column) { bytes -> Bool in
            guard let bytes else { return true }
            if !isFresh, isLast(bytes) { return false }
            text = String(decoding: bytes, as: UTF8.self)
            last.removeAll(keepingCapacity: true)
            last.append(contentsOf: bytes)
            return false
        }
        if isNull { return Names.none }
        if let text {
            lastNumber = try names.number(text)
            isFresh = false
        }
        return lastNumber
    }

    private func isLast(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count == last.count else { return false }
        guard let base = bytes.baseAddress else { return true }
        return last.withUnsafeBytes { $0.baseAddress.map { memcmp($0, base, bytes.count) == 0 } ?? true }
    }
}
