// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CNghttp2

/// A server's end of an HTTP/2 connection whose frames a test writes by hand, right ones and wrong ones. It reads what the
/// client sends, and keeps to no rule that the test does not keep.
package final class FramePeer {
    package enum Kind: UInt8 {
        case data, headers, priority, reset, settings, pushPromise, ping, goAway, windowUpdate, continuation
    }

    package struct Frame: Equatable, CustomStringConvertible {
        package let kind: Kind
        package let flags: UInt8
        package let stream: Int
        package let payload: [UInt8]

        package var isEnd: Bool { (kind == .data || kind == .headers) && flags & 1 != 0 }
        package var isAnswer: Bool { (kind == .settings || kind == .ping) && flags & 1 != 0 }
        /// Of RST_STREAM and WINDOW_UPDATE; of GOAWAY the code.
        package var number: Int {
            let bytes = kind == .goAway ? payload.dropFirst(4).prefix(4) : payload.prefix(4)
            return bytes.reduce(0) { $0 << 8 | Int($1) }
        }
        package var description: String { "\(kind) \(stream) flags \(flags), \(payload.count) bytes" }
    }

    private let deflater: OpaquePointer?
    private let inflater: OpaquePointer?
    private var input: [UInt8] = []
    private var hasPreface = false
    /// What it has written and nobody has taken.
    private var output: [UInt8] = []

    package init() {
        var deflater: OpaquePointer?
        var inflater: OpaquePointer?
        nghttp2_hd_deflate_new(&deflater, 4096)
        nghttp2_hd_inflate_new(&inflater)
        self.deflater = deflater
        self.inflater = inflater
    }

    deinit {
        nghttp2_hd_deflate_del(deflater)
        nghttp2_hd_inflate_del(inflater)
    }

    /// What there is to send.
    package func take() -> [UInt8] {
        defer { output = [] }
        return output
    }

    // MARK: Writing

    package func raw(_ bytes: [UInt8]) { output += bytes }

    package func frame(_ kind: UInt8, _ flags: UInt8 = 0, _ stream: Int, _ payload: [UInt8] = []) {
        output += Self.big(payload.count, 3) + [kind, flags] + Self.big(stream, 4) + payload
    }

    package func frame(_ kind: Kind, _ flags: UInt8 = 0, _ stream: Int, _ payload: [UInt8] = []) {
        frame(kind.rawValue, flags, stream, payload)
    }

    /// Fields as HPACK has them. `isIndexed`: they go into the table.
    package func block(_ fields: [(String, String)], isIndexed: Bool = true) -> [UInt8] {
        var block: [UInt8] = []
        for (name, value) in fields {
            var (name, value) = (Array(name.utf8), Array(value.utf8))
            var room = [UInt8](repeating: 0, count: name.count + value.count + 64)
            let count = name.withUnsafeMutableBufferPointer { name in
                value.withUnsafeMutableBufferPointer { value in
                    var field = nghttp2_nv(
                        name: name.baseAddress, value: value.baseAddress, namelen: name.count, valuelen: value.count,
                        flags: isIndexed ? 0 : UInt8(NGHTTP2_NV_FLAG_NO_INDEX.rawValue))
                    return nghttp2_hd_deflate_hd(deflater, &room, room.count, &field, 1)
                }
            }
            block += room[..<max(0, count)]
        }
        return block
    }

    /// HEADERS, with as many CONTINUATIONs as it takes.
    package func headers(_ stream: Int, _ fields: [(String, String)], isEnd: Bool = false, isIndexed: Bool = true) {
        let block = block(fields, isIndexed: isIndexed)
        var start = 0
        repeat {
            let end = min(block.count, start + 16_384)
            let flags: UInt8 = (isEnd && start == 0 ? 1 : 0) | (end == block.count ? 4 : 0)
            frame(start == 0 ? .headers : .continuation, flags, stream, Array(block[start..<end]))
            start = end
        } while start < block.count
    }

    package func head(_ stream: Int, _ status: Int = 200, _ fields: [(String, String)] = [], isEnd: Bool = false) {
        headers(stream, [(":status", String(status))] + fields, isEnd: isEnd)
    }

    package func data(_ stream: Int, _ text: String, isEnd: Bool = false) {
        data(stream, Array(text.utf8), isEnd: isEnd)
    }

    /// In frames of the largest size.
    package func data(_ stream: Int, _ bytes: [UInt8], isEnd: Bool = false) {
        var start = 0
        repeat {
            let end = min(bytes.count, start + 16_384)
            frame(.data, isEnd && end == bytes.count ? 1 : 0, stream, Array(bytes[start..<end]))
            start = end
        } while start < bytes.count
    }

    package func settings(_ entries: [(Int, Int)] = []) {
        frame(.settings, 0, 0, entries.flatMap { Self.big($0.0, 2) + Self.big($0.1, 4) })
    }

    /// MAX_CONCURRENT_STREAMS.
    package func settings(streams: Int) { settings([(3, streams)]) }
    package func settingsAnswer() { frame(.settings, 1, 0) }
    package func ping(isAnswer: Bool = false) { frame(.ping, isAnswer ? 1 : 0, 0, Array("12345678".utf8)) }
    package func reset(_ stream: Int, _ code: Int) { frame(.reset, 0, stream, Self.big(code, 4)) }
    package func goAway(last: Int, _ code: Int = 0) { frame(.goAway, 0, 0, Self.big(last, 4) + Self.big(code, 4)) }
    package func window(_ stream: Int, _ more: Int) { frame(.windowUpdate, 0, stream, Self.big(more, 4)) }

    private static func big(_ number: Int, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: number >> (8 * (count - 1 - $0))) }
    }

    // MARK: Reading

    /// The frames that are whole with these bytes.
    package func read(_ bytes: [UInt8]) throws -> [Frame] {
        input += bytes
        if !hasPreface {
            let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
            guard input.count >= preface.count else { return [] }
            guard input.starts(with: preface) else { throw TestFailure("no HTTP/2 but \(input.prefix(40))") }
            input.removeFirst(preface.count)
            hasPreface = true
        }
        var frames: [Frame] = []
        while input.count >= 9 {
            let count = input[..<3].reduce(0) { $0 << 8 | Int($1) }
            guard input.count >= 9 + count else { break }
            guard let kind = Kind(rawValue: input[3]) else { throw TestFailure("a frame of type \(input[3])") }
            frames.append(
                Frame(
                    kind: kind, flags: input[4], stream: input[5..<9].reduce(0) { $0 << 8 | Int($1) },
                    payload: Array(input[9..<9 + count])))
            input.removeFirst(9 + count)
        }
        return frames
    }

    /// Of each HEADERS once, in their order. "name: value" each, with "!" before what may not be indexed.
    package func fields(of frame: Frame) throws -> [String] {
        var fields: [String] = []
        var block = frame.payload[...]
        while true {
            var field = nghttp2_nv()
            var flags: Int32 = 0
            let count = block.withUnsafeBufferPointer {
                nghttp2_hd_inflate_hd2(inflater, &field, &flags, $0.baseAddress, $0.count, 1)
            }
            if count < 0 { throw TestFailure("HPACK: \(count)") }
            block = block.dropFirst(count)
            if flags & Int32(NGHTTP2_HD_INFLATE_EMIT.rawValue) != 0 {
                let mark = field.flags & UInt8(NGHTTP2_NV_FLAG_NO_INDEX.rawValue) != 0 ? "!" : ""
                fields.append(
                    "\(mark)\(Self.text(field.name, field.namelen)): \(Self.text(field.value, field.valuelen))")
            }
            if flags & Int32(NGHTTP2_HD_INFLATE_FINAL.rawValue) != 0 { break }
        }
        nghttp2_hd_inflate_end_headers(inflater)
        return fields
    }

    private static func text(_ bytes: UnsafeMutablePointer<UInt8>?, _ count: Int) -> String {
        String(decoding: UnsafeBufferPointer(start: bytes, count: count), as: UTF8.self)
    }
}
