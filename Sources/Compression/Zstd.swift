// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CZstd

/// Owner of a ZSTD_DStream.
final class Zstd: DecodingEngine {
    /// 8 MiB: what RFC 9659 allows a sender of this content coding.
    private static let windowLog: Int32 = 23

    private let stream: OpaquePointer

    /// nil if there is no memory.
    init?() {
        guard let stream = ZSTD_createDStream() else { return nil }
        self.stream = stream
        ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, Self.windowLog)
    }

    deinit { ZSTD_freeDStream(stream) }

    func step(_ input: inout UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer) -> (Int, DecodingStep) {
        var from = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var to = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
        let hint = ZSTD_decompressStream(stream, &to, &from)
        input = UnsafeRawBufferPointer(rebasing: input[from.pos...])
        if ZSTD_isError(hint) != 0 {
            let isWindow = ZSTD_getErrorCode(hint) == ZSTD_error_frameParameter_windowTooLarge
            return (to.pos, isWindow ? .tooMuch : .corrupt)
        }
        // 0: a frame is over and all of it written.
        if hint == 0 { return (to.pos, input.isEmpty ? .ended : .again) }
        return (to.pos, to.pos == to.size || !input.isEmpty ? .again : .hungry)
    }
}
