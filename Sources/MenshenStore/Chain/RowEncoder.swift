// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A row as bytes, always the same for the same values, whoever wrote or reads them: what its hash is made of. A column is
/// known by two bytes that are made of its name, and one without a value is left out: so a column that is added later, anywhere
/// in the list, changes no hash. Every value says where it ends, so no two rows have the same bytes. Few bytes, for the hash costs
/// more than all else here. Belongs to one thread.
final class RowEncoder {
    private var memory: UnsafeMutableRawPointer
    private var capacity = 4096
    private var used = 0

    init() { memory = .allocate(byteCount: capacity, alignment: 16) }

    deinit { memory.deallocate() }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: memory, count: used) }

    /// Forgets the row.
    func begin() { used = 0 }

    /// Seven bits a byte, the last without the eighth; small numbers of either sign are short.
    @inline(__always)
    func add(_ tag: UInt16, _ value: Int64) {
        reserve(12)
        append(tag)
        append(UInt64(bitPattern: value << 1 ^ value >> 63))
    }

    /// NaN is NULL to SQLite, and there is one zero.
    @inline(__always)
    func add(_ tag: UInt16, _ value: Double) {
        if value.isNaN { return }
        reserve(10)
        append(tag)
        memory.storeBytes(of: (value == 0 ? 0 : value.bitPattern).littleEndian, toByteOffset: used, as: UInt64.self)
        used += 8
    }

    @inline(__always)
    func add(_ tag: UInt16, _ text: UnsafeBufferPointer<UInt8>) {
        reserve(12 + text.count)
        append(tag)
        append(UInt64(text.count))
        if let start = text.baseAddress { (memory + used).copyMemory(from: start, byteCount: text.count) }
        used += text.count
    }

    @inline(__always)
    func add(_ tag: UInt16, _ text: String) {
        var text = text
        text.withUTF8 { add(tag, $0) }
    }

    @inline(__always)
    private func append(_ tag: UInt16) {
        memory.storeBytes(of: tag.littleEndian, toByteOffset: used, as: UInt16.self)
        used += 2
    }

    @inline(__always)
    private func append(_ number: UInt64) {
        var rest = number
        while rest > 0x7F {
            memory.storeBytes(of: UInt8(truncatingIfNeeded: rest) | 0x80, toByteOffset: used, as: UInt8.self)
            used += 1
            rest >>= 7
        }
        memory.storeBytes(of: UInt8(truncatingIfNeeded: rest), toByteOffset: used, as: UInt8.self)
        used += 1
    }

    @inline(__always)
    private func reserve(_ count: Int) {
        if capacity - used < count { grow(count) }
    }

    private func grow(_ count: Int) {
        capacity = (used + count) * 2
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        larger.copyMemory(from: memory, byteCount: used)
        memory.deallocate()
        memory = larger
    }

    /// The two bytes of a column: both halves of the 32-bit FNV-1a of its name, one laid over the other.
    static func tag(_ name: String) -> UInt16 {
        let hash = name.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
        return UInt16(truncatingIfNeeded: hash ^ hash >> 16)
    }
}

extension RowEncoder {
    /// In front of the values of an attempt: its number.
    static let attempt = tag("attempts.n")
    /// The one column that rows get by the table's default; left out where it is 1.
    static let count = tag("count")
}
