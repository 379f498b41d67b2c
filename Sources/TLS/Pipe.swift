// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CSSL

/// Where the records of all TLS connections of one thread pass: memory that libssl reads and writes during a call, and nobody
/// between calls. What comes out must have gone to its connection before the next call.
package final class Pipe {
    /// A read of a connection; and what 64 KiB become as records, with a flight of a handshake.
    private static let roomIn = 64 << 10
    private static let roomOut = 80 << 10
    /// What a record adds to its content at most, and the content of one.
    static let recordRoom = (16 << 10) + 512

    /// Records are received into this.
    package let input = UnsafeMutableRawBufferPointer.allocate(byteCount: roomIn, alignment: 16)
    private let output = UnsafeMutablePointer<UInt8>.allocate(capacity: roomOut)
    let shared = UnsafeMutablePointer<cssl_pipe>.allocate(capacity: 1)

    package init() {
        shared.initialize(to: cssl_pipe())
        shared.pointee.out = output
        shared.pointee.out_room = Self.roomOut
    }

    deinit {
        forgetRefusal()
        shared.deallocate()
        output.deallocate()
        input.deallocate()
    }

    /// Records that libssl has made.
    package var outgoing: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: output, count: shared.pointee.out_used)
    }

    /// They have gone, or are kept elsewhere.
    package func wasTaken() { shared.pointee.out_used = 0 }

    var hasRoom: Bool { shared.pointee.out_room - shared.pointee.out_used > Self.recordRoom }

    /// Lends records to libssl while `body` runs, and says how many bytes it has not read.
    func lend<R>(_ records: UnsafeRawBufferPointer, _ body: () -> R) -> (result: R, unread: Int) {
        shared.pointee.in = records.baseAddress?.assumingMemoryBound(to: UInt8.self)
        shared.pointee.in_left = records.count
        let result = body()
        let unread = shared.pointee.in_left
        shared.pointee.in = nil
        shared.pointee.in_left = 0
        return (result, unread)
    }

    /// What the handshake that is made now is refused for.
    func forgetRefusal() {
        shared.pointee.error = 0
        X509_free(shared.pointee.refused)
        shared.pointee.refused = nil
        X509_CRL_free(shared.pointee.refused_list)
        shared.pointee.refused_list = nil
    }

    /// Whether the connection that was called last has been asked for a certificate of ours.
    func takeAsked() -> Bool {
        defer { shared.pointee.asks = 0 }
        return shared.pointee.asks != 0
    }
}

/// The kind of BIO that leads to a pipe, made once.
// SAFETY: a BIO_METHOD is not changed once it is made.
struct PipeMethod: @unchecked Sendable {
    static let shared = PipeMethod()
    let method = cssl_pipe_method()
}
