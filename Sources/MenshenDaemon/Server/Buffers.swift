// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Memory that the connections of a worker share.
final class Buffers {
    private static let maxSpare = 64
    private static let keptCapacity = 64 << 10

    /// Where sockets are read into before the bytes are looked at.
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
    /// Of output that has been written.
    private var spare: [[UInt8]] = []

    deinit { scratch.deallocate() }

    /// Takes back the memory of output that has been written, for the next connection that has some; idle ones hold none.
    func recycle(_ buffer: inout [UInt8]) {
        var used = buffer
        buffer = []
        guard spare.count < Self.maxSpare, used.capacity <= Self.keptCapacity else { return }
        used.removeAll(keepingCapacity: true)
        spare.append(used)
    }

    /// Memory of earlier output if there is some, so that an answer does not grow its buffer from nothing each time.
    func prepare(_ buffer: inout [UInt8]) {
        if buffer.capacity == 0, let used = spare.popLast() { buffer = used }
    }
}
