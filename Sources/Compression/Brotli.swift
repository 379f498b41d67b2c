// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CBrotli

/// Owner of a BrotliDecoderState. Its window is at most 16 MiB, allocated as the stream asks; the extension to larger ones
/// stays off.
final class Brotli: DecodingEngine {
    private let state: OpaquePointer
    private var isOver = false

    /// nil if there is no memory.
    init?() {
        guard let state = BrotliDecoderCreateInstance(nil, nil, nil) else { return nil }
        self.state = state
    }

    deinit { BrotliDecoderDestroyInstance(state) }

    func step(_ input: inout UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer) -> (Int, DecodingStep) {
        if isOver { return (0, .ended) }
        var inputLeft = input.count
        var next = input.baseAddress?.assumingMemoryBound(to: UInt8.self)
        var outputLeft = output.count
        var target = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        let result = BrotliDecoderDecompressStream(state, &inputLeft, &next, &outputLeft, &target, nil)
        let count = output.count - outputLeft
        input = UnsafeRawBufferPointer(rebasing: input[(input.count - inputLeft)...])
        switch result {
        case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT: return (count, .again)
        case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT: return (count, .hungry)
        case BROTLI_DECODER_RESULT_SUCCESS:
            isOver = true
            return (count, .ended)
        default: return (count, .corrupt)
        }
    }
}
