// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc

/// One end of a stream socket, with a time limit on every wait. Belongs to one thread.
package final class Wire {
    package enum Fault: Error, Equatable {
        case timedOut
        /// The other side sent RST, or took no more.
        case reset
        /// The test is over.
        case cancelled
        case failed(Int32)
    }

    private let descriptor: Int32
    /// Readable when every wait is to end.
    private let cancel: Int32
    private var isOpen = true
    private var scratch = [UInt8](repeating: 0, count: 64 << 10)
    /// Read, and not asked for yet.
    private var buffer: [UInt8] = []

    /// Takes over a non-blocking descriptor.
    package init(_ descriptor: Int32, cancel: Int32 = -1) {
        self.descriptor = descriptor
        self.cancel = cancel
    }

    deinit { close() }

    package static func tcp(_ port: UInt16, address: String = "127.0.0.1") throws -> Wire {
        let descriptor = clinux_connect_tcp(address, port)
        guard descriptor >= 0 else { throw Fault.failed(-descriptor) }
        let wire = Wire(descriptor)
        _ = clinux_set_nodelay(descriptor)
        try wire.wait(POLLOUT)
        return wire
    }

    package static func unix(_ path: String) throws -> Wire {
        let descriptor = clinux_connect_unix(path)
        guard descriptor >= 0 else { throw Fault.failed(-descriptor) }
        return Wire(descriptor)
    }

    // MARK: Reading

    /// What is there, at least one byte; empty at the end of the stream.
    package func read(atMost limit: Int = 64 << 10) throws(Fault) -> [UInt8] {
        if !buffer.isEmpty {
            let part = Array(buffer.prefix(limit))
            buffer.removeFirst(part.count)
            return part
        }
        while true {
            let count = recv(descriptor, &scratch, min(limit, scratch.count), 0)
            if count >= 0 { return Array(scratch[..<count]) }
            switch errno {
            case EAGAIN: try wait(POLLIN)
            case EINTR: continue
            case ECONNRESET, EPIPE: throw .reset
            default: throw .failed(errno)
            }
        }
    }

    /// Makes bytes that were read too far the next ones to be read.
    package func unread(_ bytes: some Collection<UInt8>) { buffer.insert(contentsOf: bytes, at: 0) }

    /// Bytes up to and including the first `end`; nil if the stream ends before one byte came.
    package func read(through end: String) throws -> [UInt8]? {
        let mark = Array(end.utf8)
        var bytes: [UInt8] = []
        while true {
            let piece = try read()
            if piece.isEmpty {
                if bytes.isEmpty { return nil }
                throw TestFailure("the stream ended in \(String(decoding: bytes, as: UTF8.self).debugDescription)")
            }
            let from = max(0, bytes.count - mark.count + 1)
            bytes += piece
            guard bytes.count >= mark.count else { continue }
            for start in from...(bytes.count - mark.count) where bytes[start..<start + mark.count].elementsEqual(mark) {
                unread(bytes[(start + mark.count)...])
                return Array(bytes[..<(start + mark.count)])
            }
        }
    }

    package func read(exactly count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        while bytes.count < count {
            let piece = try read(atMost: count - bytes.count)
            if piece.isEmpty { throw TestFailure("the stream ended after \(bytes.count) of \(count) bytes") }
            bytes += piece
        }
        return bytes
    }

    package func readToEnd() throws(Fault) -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let piece = try read()
            if piece.isEmpty { return bytes }
            bytes += piece
        }
    }

    /// Waits until the other side closes or resets; what it sends until then is thrown away.
    package func waitForEnd() throws(Fault) {
        while true {
            do {
                if try read().isEmpty { return }
            } catch {
                if error == .reset { return }
                throw error
            }
        }
    }

    // MARK: Writing

    package func write(_ text: String) throws(Fault) { try write(Array(text.utf8)) }

    package func write(_ bytes: [UInt8]) throws(Fault) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { writeOnce(UnsafeRawBufferPointer(rebasing: $0[sent...])) }
            if count >= 0 {
                sent += count
                continue
            }
            switch errno {
            case EAGAIN: try wait(POLLOUT)
            case EINTR: continue
            case ECONNRESET, EPIPE: throw .reset
            default: throw .failed(errno)
            }
        }
    }

    /// How many bytes the kernel takes at once; 0 when it takes none.
    package func writeWithoutWaiting(_ bytes: [UInt8]) throws(Fault) -> Int {
        let count = bytes.withUnsafeBytes { writeOnce($0) }
        if count >= 0 { return count }
        if errno == EAGAIN { return 0 }
        throw .reset
    }

    private func writeOnce(_ bytes: UnsafeRawBufferPointer) -> Int {
        send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// True if the other side takes no more for that long.
    package func isBlocked(milliseconds: Int32) throws(Fault) -> Bool {
        do { try wait(POLLOUT, milliseconds) } catch {
            if error == .timedOut { return true }
            throw error
        }
        return false
    }

    /// True if nothing comes from the other side for that long.
    package func isSilent(milliseconds: Int32) throws(Fault) -> Bool {
        if !buffer.isEmpty { return false }
        do { try wait(POLLIN, milliseconds) } catch {
            if error == .timedOut { return true }
            throw error
        }
        return false
    }

    // MARK: Ending

    package func finishWriting() { _ = shutdown(descriptor, Int32(SHUT_WR)) }

    /// Closes with RST (TCP).
    package func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    package func close() {
        if isOpen { _ = Glibc.close(descriptor) }
        isOpen = false
    }

    private func wait(_ events: Int32, _ milliseconds: Int32 = Signal.patience) throws(Fault) {
        while true {
            var polls = [
                pollfd(fd: descriptor, events: Int16(events), revents: 0),
                pollfd(fd: cancel, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&polls, 2, milliseconds)
            if ready < 0, errno == EINTR { continue }
            if ready == 0 { throw .timedOut }
            if polls[0].revents != 0 { return }
            throw .cancelled
        }
    }
}
