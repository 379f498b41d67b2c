// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CZlib

package enum Gzip {
    /// Fast rather than small; nil if there is no memory.
    package static func compress(_ bytes: [UInt8]) -> [UInt8]? {
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        stream.initialize(to: z_stream())
        defer { stream.deallocate() }
        // 16 asks for gzip's frame, 8 is zlib's usual memory.
        let code = deflateInit2_(
            stream, Z_BEST_SPEED, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        if code != Z_OK { return nil }
        defer { deflateEnd(stream) }
        guard let given = UInt32(exactly: bytes.count) else { return nil }
        let bound = Int(deflateBound(stream, UInt(given)))
        var isWhole = false
        let output = [UInt8](unsafeUninitializedCapacity: bound) { output, count in
            bytes.withUnsafeBufferPointer { input in
                stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
                stream.pointee.avail_in = given
                stream.pointee.next_out = output.baseAddress
                stream.pointee.avail_out = UInt32(bound)
                isWhole = deflate(stream, Z_FINISH) == Z_STREAM_END
            }
            count = bound - Int(stream.pointee.avail_out)
        }
        return isWhole ? output : nil
    }
}
