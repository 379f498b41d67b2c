// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP

extension Connection {
    /// A caller may wait for that before it sends its body.
    func inviteBody(of head: RequestHead) {
        guard head.expectsContinue else { return }
        output.append(ascii: "HTTP/1.1 100 Continue\r\n\r\n")
        flush()
    }

    /// Chunks below this size that came together go on together: one byte each would cost a write to the provider.
    private static let small = 4 << 10

    /// Takes body bytes from `start` on, and returns where the input goes on.
    func takeBody(
        _ decoder: BodyDecoder, _ bytes: UnsafeBufferPointer<UInt8>, from start: Int
    ) throws(HTTPError) -> Int {
        var decoder = decoder
        var used = start
        var gathered: [UInt8] = []
        while true {
            let step = try decoder.next(bytes.span, from: used)
            phase = .body(decoder)
            switch step {
            case .needMore(let consumed):
                gathered.withUnsafeBytes { receive($0) }
                return consumed
            case .end(let consumed):
                gathered.withUnsafeBytes { receive($0) }
                bodyEnded()
                return consumed
            case .data(let range):
                used = range.upperBound
                let isLast = decoder.isDone || used == bytes.count
                if gathered.isEmpty, isLast || range.count > Self.small {
                    receive(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[range])))
                } else {
                    gathered.append(contentsOf: bytes[range])
                    guard isLast || gathered.count > Self.small else { continue }
                    gathered.withUnsafeBytes { receive($0) }
                }
                if decoder.isDone { bodyEnded() }
                return used
            }
        }
    }

    private func receive(_ piece: UnsafeRawBufferPointer) {
        if piece.isEmpty { return }
        awaitBody()
        if exchange?.receiveBody(piece) == false { pauseReading() }
    }
}
