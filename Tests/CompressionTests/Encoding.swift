// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import CZlib
import CZstd
import Compression
import Testing

/// The libraries' own encoders.
enum Encoding {
    /// Each piece flushed, so that it can be decoded as soon as it is there; the last element is the body's end.
    static func flushed(_ coding: ContentCoding, _ pieces: [[UInt8]]) throws -> [[UInt8]] {
        switch coding {
        case .identity: return pieces + [[]]
        case .gzip: return try deflated(pieces, bits: MAX_WBITS + 16)
        case .deflate: return try deflated(pieces, bits: MAX_WBITS)
        case .brotli: return try #require(BrotliSamples.flushed[pieces.map { String(decoding: $0, as: UTF8.self) }])
        case .zstd: return try zstandard(pieces)
        }
    }

    static func whole(_ coding: ContentCoding, _ text: [UInt8]) throws -> [UInt8] {
        try flushed(coding, [text]).flatMap(\.self)
    }

    /// `bits`: as for deflateInit2.
    static func deflated(_ pieces: [[UInt8]], bits: Int32) throws -> [[UInt8]] {
        var stream = z_stream()
        try #require(
            deflateInit2_(
                &stream, 9, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
                Int32(MemoryLayout<z_stream>.size)) == Z_OK)
        defer { deflateEnd(&stream) }
        return (pieces + [[]]).enumerated().map { index, piece in
            var piece = piece
            var coded = [UInt8](repeating: 0, count: Int(deflateBound(&stream, UInt(piece.count))) + 64)
            let room = coded.count
            let left = piece.withUnsafeMutableBufferPointer { input in
                coded.withUnsafeMutableBufferPointer { output in
                    stream.next_in = input.baseAddress
                    stream.avail_in = UInt32(input.count)
                    stream.next_out = output.baseAddress
                    stream.avail_out = UInt32(output.count)
                    deflate(&stream, index == pieces.count ? Z_FINISH : Z_SYNC_FLUSH)
                    return Int(stream.avail_out)
                }
            }
            return Array(coded[..<(room - left)])
        }
    }

    static func zstandard(_ pieces: [[UInt8]], windowLog: Int32 = 0) throws -> [[UInt8]] {
        let stream = try #require(ZSTD_createCCtx())
        defer { ZSTD_freeCCtx(stream) }
        ZSTD_CCtx_setParameter(stream, ZSTD_c_windowLog, windowLog)
        return (pieces + [[]]).enumerated().map { index, piece in
            var coded = [UInt8](repeating: 0, count: ZSTD_compressBound(piece.count) + 64)
            let count = piece.withUnsafeBytes { input in
                coded.withUnsafeMutableBytes { output in
                    var from = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
                    var to = ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
                    let mode = index == pieces.count ? ZSTD_e_end : ZSTD_e_flush
                    while ZSTD_compressStream2(stream, &to, &from, mode) > 0, to.pos < to.size {}
                    return to.pos
                }
            }
            return Array(coded[..<count])
        }
    }
}

/// What brotli 1.2's encoder made, because the system's is a library of its own that nothing here needs.
enum BrotliSamples {
    static let events = [
        #"data: {"choices":[{"delta":{"content":"Good"}}]}"# + "\n\n",
        #"data: {"choices":[{"delta":{"content":" morning"}}]}"# + "\n\n", "data: [DONE]\n\n",
    ]
    /// Coded by what they stand for: a call of the encoder's process() and flush() each, then finish().
    static let flushed: [[String]: [[UInt8]]] = [
        events: [
            bytes(
                "8b1800601d87b1f3a4491b4591e6ef94112abd45f6b674b6824e579f00810d38604f308fb6cb724b504a8596ddc6a7e61893f221ee1b0c"
            ),
            bytes("a80100490a842c0b69c4996a311a221d19"), bytes("6800805f5261ab2b0950449360495df83100"), bytes("03"),
        ]
    ]
    /// 64 MiB of zeros, quality 9, window 22.
    static let zeros = bytes(
        "cbffff3f002400e2b14072effff8ffff078004401c1680eefd1fffffff00900088c302d0bdffe3ffff1f001200715800baf77ffc"
            + "ffff034002200e0b40f7fe8fffff7f004800c46101e8defff1ffff0f000980382c00ddfb3ffeffff012001108705a07bff37")

    private static func bytes(_ hexadecimal: String) -> [UInt8] {
        let digits = Array(hexadecimal)
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(String(digits[$0...$0 + 1]), radix: 16) ?? 0 }
    }
}
