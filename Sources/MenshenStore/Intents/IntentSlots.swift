// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// How a log of versions 1 and 2 is laid out. A header with a counter for each lane, which says how many of its slots are
/// free again; then the slots, lane behind lane. In a slot a number stands before and behind the intent, so that a slot that
/// was written in part is told from a whole one, and between them its fields in order. Only read on the machine that wrote
/// it: numbers are in its byte order.
enum IntentSlots {
    static let slotBytes = 1024
    /// Of one worker: as many as begin in some 20 ms under the busiest load measured, four times what gathers meanwhile.
    static let laneSlots = 512
    static let headerBytes = 4096
    static let maximumLanes = (headerBytes - lanesAt) / 8
    static let maximumBytes = headerBytes + maximumLanes * laneSlots * slotBytes
    private static let lanesAt = 64

    /// Where a lane's counter stands.
    static func counterPlace(lane: Int) -> Int { lanesAt + lane * 8 }

    /// Where the slot of a lane's `number`th intent begins.
    static func slotPlace(lane: Int, number: Int) -> Int {
        headerBytes + (lane * laneSlots + number % laneSlots) * slotBytes
    }

    /// The intents in slots that are not free again. `read`: nil for a slot that was never used, not written to its end, or is
    /// damaged.
    static func leftovers(
        _ content: UnsafeRawBufferPointer, _ read: (inout SlotReader) -> (number: Int64, intent: AuditIntent)?
    ) -> [AuditIntent] {
        guard content.count > headerBytes else { return [] }
        var found: [AuditIntent] = []
        // The last slot is written no further than its intent reaches.
        let slots = (content.count - headerBytes + slotBytes - 1) / slotBytes
        for slot in 0..<slots {
            let start = headerBytes + slot * slotBytes
            let counter = counterPlace(lane: slot / laneSlots)
            let released = content.loadUnaligned(fromByteOffset: counter, as: Int64.self)
            let bytes = content[start..<min(start + slotBytes, content.count)]
            var reader = SlotReader(UnsafeRawBufferPointer(rebasing: bytes))
            if let (number, intent) = read(&reader), number > released { found.append(intent) }
        }
        return found
    }

    /// In place of a text's length: there is none.
    fileprivate static let none: UInt16 = .max
}

/// Writes the fields of one slot.
struct SlotWriter {
    private let buffer: UnsafeMutableRawBufferPointer
    private(set) var count = 0
    /// False once something did not fit.
    private(set) var fits = true

    init(_ buffer: UnsafeMutableRawBufferPointer) { self.buffer = buffer }

    mutating func put<T: BitwiseCopyable>(_ value: T) {
        let size = MemoryLayout<T>.size
        guard fits, count + size <= buffer.count else { return fits = false }
        buffer.storeBytes(of: value, toByteOffset: count, as: T.self)
        count += size
    }

    mutating func put(_ text: String?) {
        guard var text else { return put(IntentSlots.none) }
        text.withUTF8 { bytes in
            guard fits, bytes.count < Int(IntentSlots.none), count + 2 + bytes.count <= buffer.count else {
                return fits = false
            }
            put(UInt16(bytes.count))
            UnsafeMutableRawBufferPointer(rebasing: buffer[count...]).copyMemory(from: UnsafeRawBufferPointer(bytes))
            count += bytes.count
        }
    }
}

/// Reads the fields of one slot.
struct SlotReader {
    private let bytes: UnsafeRawBufferPointer
    private var place = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    mutating func take<T: BitwiseCopyable>(_: T.Type) -> T? {
        guard place + MemoryLayout<T>.size <= bytes.count else { return nil }
        defer { place += MemoryLayout<T>.size }
        return bytes.loadUnaligned(fromByteOffset: place, as: T.self)
    }

    /// The outer nil: cut off. The inner one: there is none.
    mutating func text() -> String?? {
        guard let count = take(UInt16.self) else { return nil }
        if count == IntentSlots.none { return .some(nil) }
        guard place + Int(count) <= bytes.count else { return nil }
        defer { place += Int(count) }
        return String(decoding: bytes[place..<place + Int(count)], as: UTF8.self)
    }
}
