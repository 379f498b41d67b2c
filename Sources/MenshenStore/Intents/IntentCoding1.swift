// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// Version 1. A header with a counter for each lane, which says how many of its slots are free again; then the slots, lane
/// behind lane. In a slot a number stands before and behind the intent, so that a slot that was written in part is told from a
/// whole one, and between them its fields in order. Only read on the machine that wrote it: numbers are in its byte order.
struct IntentCoding1: IntentCoding {
    static let magic = Array("mnshint1".utf8)
    static let slotBytes = 1024
    /// Of one worker: as many as begin in some 20 ms under the busiest load measured, four times what gathers meanwhile.
    static let laneSlots = 512
    static let headerBytes = 4096
    static let maximumLanes = (headerBytes - lanesAt) / 8
    private static let lanesAt = 64
    private static let none: UInt16 = .max

    var magic: [UInt8] { Self.magic }
    var maximumBytes: Int { Self.headerBytes + Self.maximumLanes * Self.laneSlots * Self.slotBytes }

    /// Where a lane's counter stands.
    static func counterPlace(lane: Int) -> Int { lanesAt + lane * 8 }

    /// Where the slot of a lane's `number`th intent begins.
    static func slotPlace(lane: Int, number: Int) -> Int {
        headerBytes + (lane * laneSlots + number % laneSlots) * slotBytes
    }

    func leftovers(_ content: UnsafeRawBufferPointer) -> [AuditIntent] {
        guard content.count > Self.headerBytes else { return [] }
        var found: [AuditIntent] = []
        // The last slot is written no further than its intent reaches.
        let slots = (content.count - Self.headerBytes + Self.slotBytes - 1) / Self.slotBytes
        for slot in 0..<slots {
            let start = Self.headerBytes + slot * Self.slotBytes
            let counter = Self.counterPlace(lane: slot / Self.laneSlots)
            let released = content.loadUnaligned(fromByteOffset: counter, as: Int64.self)
            let bytes = content[start..<min(start + Self.slotBytes, content.count)]
            var reader = Reader(UnsafeRawBufferPointer(rebasing: bytes))
            if let (number, intent) = reader.read(), number > released { found.append(intent) }
        }
        return found
    }

    struct Writer {
        private let buffer: UnsafeMutableRawBufferPointer
        private(set) var count = 0
        private var fits = true

        init(_ buffer: UnsafeMutableRawBufferPointer) { self.buffer = buffer }

        /// False if it does not fit.
        mutating func write(_ intent: AuditIntent, number: Int) -> Bool {
            put(Int64(number))
            put(intent.id.rawValue)
            put(Int64(intent.caller.uid.map(Int64.init) ?? -1))
            put(Int64(intent.caller.pid.map(Int64.init) ?? -1))
            put(UInt8(intent.isStream.map { $0 ? 1 : 0 } ?? 2))
            put(intent.caller.address)
            put(intent.caller.executable)
            put(intent.caller.unit)
            put(intent.tokenName)
            put(intent.method)
            put(intent.path)
            put(intent.dialect.rawValue)
            put(intent.operation.rawValue)
            put(intent.provider)
            put(intent.model)
            put(Int64(number))
            return fits
        }

        private mutating func put<T: BitwiseCopyable>(_ value: T) {
            let size = MemoryLayout<T>.size
            guard fits, count + size <= buffer.count else { return fits = false }
            buffer.storeBytes(of: value, toByteOffset: count, as: T.self)
            count += size
        }

        private mutating func put(_ text: String?) {
            guard var text else { return put(IntentCoding1.none) }
            text.withUTF8 { bytes in
                guard fits, bytes.count < Int(IntentCoding1.none), count + 2 + bytes.count <= buffer.count else {
                    return fits = false
                }
                put(UInt16(bytes.count))
                UnsafeMutableRawBufferPointer(rebasing: buffer[count...]).copyMemory(
                    from: UnsafeRawBufferPointer(bytes))
                count += bytes.count
            }
        }
    }

    struct Reader {
        private let bytes: UnsafeRawBufferPointer
        private var place = 0

        init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

        /// nil: the slot was never used, not written to its end, or is damaged.
        mutating func read() -> (number: Int64, intent: AuditIntent)? {
            guard let number = take(Int64.self), number > 0, let id = take(Int64.self), id > 0, id < .max,
                let uid = take(Int64.self), let pid = take(Int64.self), let stream = take(UInt8.self),
                let address = text(),
                let executable = text(), let unit = text(), let tokenName = text(), let method = text(),
                let path = text(), let dialect = text(), let operation = text(), let provider = text(),
                let model = text(), take(Int64.self) == number
            else { return nil }
            let caller = CallerRecord(
                uid: UInt32(exactly: uid), pid: pid < 0 ? nil : Int32(exactly: pid), executable: executable, unit: unit,
                address: address ?? "")
            let intent = AuditIntent(
                id: RequestID(rawValue: id), caller: caller, tokenName: tokenName, method: method ?? "",
                path: path ?? "", dialect: dialect.flatMap(Dialect.init(rawValue:)) ?? .common,
                operation: operation.flatMap(Operation.init(rawValue:)) ?? .other, provider: provider, model: model,
                isStream: stream == 2 ? nil : stream == 1)
            return (number, intent)
        }

        private mutating func take<T: BitwiseCopyable>(_: T.Type) -> T? {
            guard place + MemoryLayout<T>.size <= bytes.count else { return nil }
            defer { place += MemoryLayout<T>.size }
            return bytes.loadUnaligned(fromByteOffset: place, as: T.self)
        }

        /// The outer nil: cut off. The inner one: there is none.
        private mutating func text() -> String?? {
            guard let count = take(UInt16.self) else { return nil }
            if count == IntentCoding1.none { return .some(nil) }
            guard place + Int(count) <= bytes.count else { return nil }
            defer { place += Int(count) }
            return String(decoding: bytes[place..<place + Int(count)], as: UTF8.self)
        }
    }
}
