// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CZlib

/// Owner of a z_stream: gzip, and deflate as the standard has it (in zlib's frame) and as some servers send it (bare).
final class Inflate: DecodingEngine {
    enum Frame {
        case gzip, deflate
    }

    /// zlib keeps its address, so it must not move.
    private let stream: UnsafeMutablePointer<z_stream>
    private let frame: Frame
    private var hasBegun = false
    /// A gzip member is over; another may follow.
    private var isBetweenMembers = false
    private var hasMember = false
    /// What still comes is not read.
    private var isOver = false

    /// nil if there is no memory.
    init?(_ frame: Frame) {
        self.frame = frame
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // The largest window, 32 KiB; 16 asks for gzip's frame.
        let bits = MAX_WBITS + (frame == .gzip ? 16 : 0)
        let code = inflateInit2_(stream, bits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        // zlib frees what it has when this fails.
        if code != Z_OK { return nil }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    func step(_ input: inout UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer) -> (Int, DecodingStep) {
        if isOver { return (0, .ended) }
        if let first = input.first {
            if !hasBegun {
                hasBegun = true
                // zlib's frame begins with 8 in the low half and a window of at most 7 in the high one (RFC 1950); in bare
                // deflate that is a stored block with padding that is not zero, which nobody writes.
                if frame == .deflate, first & 0x0F != 8 || first >> 4 > 7 { inflateReset2(stream, -MAX_WBITS) }
            }
            if isBetweenMembers {
                isBetweenMembers = false
                inflateReset(stream)
            }
        }
        let given = min(input.count, 1 << 30)
        stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = UInt32(given)
        stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(output.count)
        let code = inflate(stream, Z_NO_FLUSH)
        let count = output.count - Int(stream.pointee.avail_out)
        input = UnsafeRawBufferPointer(rebasing: input[(given - Int(stream.pointee.avail_in))...])
        stream.pointee.next_in = nil
        stream.pointee.next_out = nil
        switch code {
        case Z_OK: return (count, stream.pointee.avail_out == 0 || !input.isEmpty ? .again : .hungry)
        // Nothing to read and nothing held back.
        case Z_BUF_ERROR: return (count, .hungry)
        case Z_STREAM_END:
            if frame == .gzip { isBetweenMembers = true } else { isOver = true }
            hasMember = true
            return (count, input.isEmpty || isOver ? .ended : .again)
        case Z_DATA_ERROR where hasMember && stream.pointee.total_out == 0:
            // What follows a whole member and is none is padding, as for gzip(1).
            isOver = true
            return (count, .ended)
        default: return (count, .corrupt)
        }
    }
}
