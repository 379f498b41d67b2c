// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport

@testable import TLS

/// A client and libssl's own server, whose records the test carries back and forth.
final class Pair {
    let channel: TLSChannel
    let server: TLSPeer
    let pipe = Pipe()

    init(
        _ client: TLSClient, _ server: TLSPeer, host: String = "a.test", offersHTTP2: Bool = false,
        _ tickets: Tickets = Tickets()
    ) throws {
        channel = try TLSChannel(client, host: host, offersHTTP2: offersHTTP2, through: pipe, tickets)
        self.server = server
    }

    /// What the channel has to say to the server; returns what the server reads.
    @discardableResult
    func carryOut() -> [UInt8] {
        let records = Array(pipe.outgoing)
        pipe.wasTaken()
        return server.take(records)
    }

    /// Until the handshake is over; in pieces of `size`.
    func shake(_ size: Int = .max) -> TLSFault? {
        var step = channel.handshake(UnsafeRawBufferPointer(start: nil, count: 0))
        for _ in 0..<10 {
            carryOut()
            var records = server.records()[...]
            while case .needsMore = step, !records.isEmpty {
                step = records.prefix(size).withUnsafeBytes { channel.handshake($0) }
                records = records.dropFirst(size)
            }
            switch step {
            case .done:
                carryOut()
                // Tickets come behind the handshake.
                _ = read(Array(records) + server.records())
                return nil
            case .failed(let fault): return fault
            case .needsMore: break
            }
        }
        return nil
    }

    func read(_ records: [UInt8], _ size: Int = 64 << 10) -> (bytes: [UInt8], end: String?) {
        var buffer = [UInt8](repeating: 0, count: size)
        let read = buffer.withUnsafeMutableBytes { buffer in
            records.withUnsafeBytes { channel.read($0, into: buffer) }
        }
        switch read {
        case .bytes(let count): return (Array(buffer[..<count]), nil)
        case .nothing: return ([], nil)
        case .closed: return ([], "closed")
        case .failed(let fault): return ([], fault.description)
        }
    }
}
