// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// Bytes on their way to a provider, in memory that stays where it is while a write of them is to be tried again. Holds the
/// key while the head is under way, so it is overwritten when that is gone.
final class SendBuffer {
    private let capacity: Int
    private var block: UnsafeMutableRawBufferPointer
    private var start = 0
    private var end = 0
    /// Everything from here on was never written to.
    private var high = 0
    /// Length of the write that would have blocked; 0: none.
    private var attempt = 0

    /// `capacity`: what `take` fills, and what is kept for the next request. The default is two reads of a worker.
    init(capacity: Int = 128 << 10) {
        self.capacity = capacity
        block = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit {
        wipe()
        block.deallocate()
    }

    var isEmpty: Bool { start == end }
    var count: Int { end - start }
    var hasRoom: Bool { end - start < block.count / 2 }

    /// Takes all of it, growing as needed. Not while a write is to be tried again.
    func append(_ bytes: UnsafeRawBufferPointer) {
        guard let from = bytes.baseAddress else { return }
        if isEmpty || end + bytes.count > block.count { makeRoom(bytes.count) }
        if let to = block.baseAddress { memcpy(to + end, from, bytes.count) }
        end += bytes.count
        high = max(high, end)
    }

    /// Puts pieces before what was appended. Only before anything is sent.
    func prepend(_ pieces: UnsafeRawBufferPointer...) {
        let count = pieces.reduce(0) { $0 + $1.count }
        makeRoom(count)
        guard let base = block.baseAddress else { return }
        memmove(base + count, base, end)
        var place = 0
        for piece in pieces {
            if let from = piece.baseAddress { memcpy(base + place, from, piece.count) }
            place += piece.count
        }
        end += count
        high = max(high, end)
    }

    /// What was sent is kept until something else comes, in case it has to be sent again.
    private func forgetSent() {
        guard isEmpty else { return }
        start = 0
        end = 0
    }

    private func makeRoom(_ count: Int) {
        forgetSent()
        if end + count <= block.count { return }
        // What was sent need not be kept; else there is more than before.
        let kept = end - start
        let isEnough = kept + count <= block.count / 2
        let larger = isEnough ? block : .allocate(byteCount: max(2 * (kept + count), capacity), alignment: 16)
        if let from = block.baseAddress, let to = larger.baseAddress { memmove(to, from + start, kept) }
        start = 0
        end = kept
        if isEnough { return }
        if let base = block.baseAddress { explicit_bzero(base, high) }
        block.deallocate()
        block = larger
        high = kept
    }

    func append(decimal value: Int) { append(text: String(value)) }
    func append(hexadecimal value: Int) { append(text: String(value, radix: 16)) }

    private func append(text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Takes as much as there is room for, and says how much.
    func take(_ bytes: UnsafeRawBufferPointer) -> Int {
        forgetSent()
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

    /// What has not been sent, to be changed in place.
    var rest: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(rebasing: block[start..<end]) }

    func wouldBlock() { if attempt == 0 { attempt = end - start } }

    func sent(_ count: Int) {
        attempt = 0
        start += count
    }

    /// Everything that was appended, and nothing since it was sent, is to be sent again.
    func rewind() {
        attempt = 0
        start = 0
    }

    /// Forgets everything, overwrites it, and holds no memory until something is appended.
    func release() {
        wipe()
        block.deallocate()
        block = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    }

    /// Forgets everything, and overwrites it. Memory beyond the capacity goes back.
    func wipe() {
        if let base = block.baseAddress { explicit_bzero(base, high) }
        high = 0
        if block.count > 2 * capacity {
            block.deallocate()
            block = .allocate(byteCount: capacity, alignment: 16)
        }
        start = 0
        end = 0
        attempt = 0
    }
}
