// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CCurl
internal import Glibc

/// The request header lines of one transfer, laid out in one block of memory that is reused, with the list nodes libcurl
/// wants beside it. The block holds the key, so it is overwritten when the list is cleared.
package final class HeaderList {
    private var block: UnsafeMutableRawBufferPointer
    private var used = 0
    private var starts: [Int] = []
    private var nodes: UnsafeMutableBufferPointer<curl_slist>

    package init() {
        block = .allocate(byteCount: 2048, alignment: 1)
        nodes = .allocate(capacity: 32)
    }

    deinit {
        clear()
        block.deallocate()
        nodes.deallocate()
    }

    /// Starts a line; its bytes follow by `append`.
    package func beginLine() { starts.append(used) }

    package func append(_ bytes: UnsafeRawBufferPointer) {
        reserve(bytes.count + 1)
        guard let from = bytes.baseAddress, let to = block.baseAddress else { return }
        memcpy(to + used, from, bytes.count)
        used += bytes.count
    }

    package func endLine() {
        reserve(1)
        block[used] = 0
        used += 1
    }

    package func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    package func add(_ line: StaticString) {
        beginLine()
        append(line)
        endLine()
    }

    package func clear() {
        Self.wipe(block, used)
        used = 0
        starts.removeAll(keepingCapacity: true)
    }

    /// The finished list; valid until the next change.
    var list: UnsafeMutablePointer<curl_slist>? {
        guard !starts.isEmpty, let base = block.baseAddress else { return nil }
        if nodes.count < starts.count {
            nodes.deallocate()
            nodes = .allocate(capacity: starts.count * 2)
        }
        guard let first = nodes.baseAddress else { return nil }
        for (index, start) in starts.enumerated() {
            let next = index + 1 < starts.count ? first + index + 1 : nil
            let text = (base + start).assumingMemoryBound(to: CChar.self)
            (first + index).initialize(to: curl_slist(data: text, next: next))
        }
        return first
    }

    private static func wipe(_ block: UnsafeMutableRawBufferPointer, _ count: Int) {
        if let start = block.baseAddress { explicit_bzero(start, count) }
    }

    private func reserve(_ count: Int) {
        guard used + count > block.count else { return }
        let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: max(block.count * 2, used + count), alignment: 1)
        if let from = block.baseAddress, let to = larger.baseAddress { memcpy(to, from, used) }
        Self.wipe(block, used)
        block.deallocate()
        block = larger
    }
}
