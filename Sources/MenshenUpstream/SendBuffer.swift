// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// Bytes on their way to a tunnel's provider, in memory that stays where it is while a write of them is to be tried again.
/// Holds the key while the head is under way, so it is overwritten when that is gone.
final class SendBuffer {
    /// Two reads of a worker.
    private static let capacity = 128 << 10

    private var block: UnsafeMutableRawBufferPointer
    private var start = 0
    private var end = 0
    /// Everything from here on was never written to.
    private var high = 0
    /// Length of the write that would have blocked; 0: none.
    private var attempt = 0

    init() { block = .allocate(byteCount: Self.capacity, alignment: 16) }

    deinit {
        wipe()
        block.deallocate()
    }

    var isEmpty: Bool { start == end }
    var hasRoom: Bool { end - start < block.count / 2 }

    /// Takes all of it, growing as needed. Only before anything is sent.
    func append(_ bytes: UnsafeRawBufferPointer) {
        guard let from = bytes.baseAddress else { return }
        if end + bytes.count > block.count {
            let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * (end + bytes.count), alignment: 16)
            larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: block[..<end]))
            let used = end
            wipe()
            block.deallocate()
            block = larger
            end = used
        }
        if let to = block.baseAddress { memcpy(to + end, from, bytes.count) }
        end += bytes.count
        high = max(high, end)
    }

    func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Takes as much as there is room for, and says how much.
    func take(_ bytes: UnsafeRawBufferPointer) -> Int {
        if attempt == 0, start > 0, bytes.count > block.count - end, let base = block.baseAddress {
            memmove(base, base + start, end - start)
            end -= start
            start = 0
        }
        let count = min(bytes.count, block.count - end)
        guard count > 0, let from = bytes.baseAddress, let to = block.baseAddress else { return 0 }
        memcpy(to + end, from, count)
        end += count
        high = max(high, end)
        return count
    }

    /// What is to be written next; nil when nothing is left.
    var next: UnsafeRawBufferPointer? {
        if isEmpty { return nil }
        let count = attempt > 0 ? attempt : end - start
        return UnsafeRawBufferPointer(rebasing: block[start..<start + count])
    }

    func wouldBlock() { if attempt == 0 { attempt = end - start } }

    func sent(_ count: Int) {
        attempt = 0
        start += count
        if isEmpty {
            start = 0
            end = 0
        }
    }

    /// Forgets everything, and overwrites it.
    func wipe() {
        if let base = block.baseAddress { explicit_bzero(base, high) }
        high = 0
        start = 0
        end = 0
        attempt = 0
    }
}
