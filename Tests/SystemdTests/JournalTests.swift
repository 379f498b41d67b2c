// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import Linux
import Systemd
import Testing

/// A datagram socket in place of journald's.
private final class Receiver {
    let path: String
    private let descriptor: Int32

    init() {
        path = "/tmp/menshen-journal-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) }
        }
        precondition(result == 0, "bind: \(errno)")
    }

    deinit {
        close(descriptor)
        unlink(path)
    }

    /// The next datagram, or the content of the memory file that came in its place.
    func next() -> (bytes: [UInt8], isMemory: Bool)? {
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var control = [UInt64](repeating: 0, count: 8)
        return buffer.withUnsafeMutableBytes { bytes in
            control.withUnsafeMutableBytes { space in
                var part = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
                return withUnsafeMutablePointer(to: &part) { part in
                    var message = msghdr()
                    message.msg_iov = part
                    message.msg_iovlen = 1
                    message.msg_control = space.baseAddress
                    message.msg_controllen = space.count
                    let count = recvmsg(descriptor, &message, 0)
                    guard count >= 0 else { return nil }
                    if message.msg_controllen == 0 { return (Array(bytes[..<count]), false) }
                    // The header of a control message is 16 bytes; the descriptor follows.
                    let memory = space.load(fromByteOffset: 16, as: Int32.self)
                    defer { close(memory) }
                    let size = pread(memory, bytes.baseAddress, bytes.count, 0)
                    // F_GET_SEALS is 1034; all four seals make 15.
                    let seals = fcntl(memory, 1034)
                    return size >= 0 && seals == 15 ? (Array(bytes[..<size]), true) : nil
                }
            }
        }
    }
}

@Suite struct JournalTests {
    @Test func `a value without newline is a line, one with newline has a length`() {
        var entry = JournalEntry()
        entry.append("MESSAGE", "hello = there")
        entry.append("TEXT", "a\nb")
        let expected = Array("MESSAGE=hello = there\nTEXT\n".utf8) + [3, 0, 0, 0, 0, 0, 0, 0] + Array("a\nb\n".utf8)
        #expect(entry.bytes == expected)
    }

    @Test(arguments: ["", "_PID", "lower", "1ST", "WITH SPACE", "A=B", "A\nB", "É", String(repeating: "A", count: 65)])
    func `a key that journald would drop is refused`(_ key: String) {
        var entry = JournalEntry()
        let isTaken = entry.append(key, "value")
        #expect(!isTaken)
        #expect(entry.bytes.isEmpty)
    }

    @Test func `entries arrive, small ones as a datagram, large ones as a sealed file`() throws {
        let receiver = Receiver()
        let socket = try JournalSocket(path: receiver.path)
        var small = JournalEntry()
        small.append("MESSAGE", "small")
        #expect(socket.send(small))
        #expect(receiver.next()?.bytes == small.bytes)
        var large = JournalEntry()
        large.append("MESSAGE", String(repeating: "x", count: 600_000))
        #expect(socket.send(large))
        let received = receiver.next()
        #expect(received?.isMemory == true && received?.bytes == large.bytes)
    }

    @Test func `absent, dead and full journals take nothing, and a restarted one is found`() throws {
        var entry = JournalEntry()
        entry.append("MESSAGE", "x")
        let absent = try JournalSocket(path: "/nonexistent/socket")
        #expect(!absent.send(entry))
        let receiver = Receiver()
        let socket = try JournalSocket(path: receiver.path)
        var sent = 0
        while socket.send(entry) && sent < 100_000 { sent += 1 }
        #expect(sent > 0 && sent < 100_000)
        #expect(receiver.next() != nil)
        #expect(socket.send(entry))
    }
}

@Suite struct EventLogTests {
    private func lines(
        _ isVerbose: Bool = false, stream: (Int32) -> String? = { _ in nil }, path: String = "/nonexistent",
        _ body: (EventLog) -> Void
    ) -> String {
        var ends: [Int32] = [0, 0]
        precondition(pipe(&ends) == 0)
        body(
            EventLog(
                journalStream: stream(ends[1]), descriptor: ends[1], isVerbose: isVerbose, journalPath: path))
        close(ends[1])
        defer { close(ends[0]) }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(ends[0], &buffer, buffer.count)
        return String(decoding: buffer[..<max(count, 0)], as: UTF8.self)
    }

    private let event = LogEvent(
        priority: 4, messageID: "f3811e3127964621a166b343705dd2e8", message: "two\nlines\u{1b}[31m",
        fields: [("MENSHEN_PATH", "/a\r\n<0>forged")])

    @Test func `stderr gets one line in which nothing can forge another, and nothing that is for the journal`() {
        #expect(lines { $0.write(event) } == "two\\nlines\\u{1b}[31m\n")
    }

    @Test func `debug lines need the verbose log`() {
        let debug = LogEvent(priority: 7, message: "detail")
        #expect(lines { $0.write(debug) } == "")
        #expect(lines(true) { $0.write(debug) } == "detail\n")
    }

    @Test func `a stderr that is the journal's gets native entries`() {
        let receiver = Receiver()
        #expect(lines(stream: EventLog.stream(of:), path: receiver.path) { $0.write(event) } == "")
        let text = receiver.next().map { String(decoding: $0.bytes, as: UTF8.self) } ?? ""
        #expect(text.contains("PRIORITY=4\nSYSLOG_IDENTIFIER=menshen\nMESSAGE_ID=f3811e3127964621a166b343705dd2e8\n"))
        #expect(lines(stream: { _ in "1:2" }, path: receiver.path) { $0.write(event) }.hasPrefix("two"))
        #expect(receiver.next() == nil)
    }

    @Test func `a journal that does not answer leaves the line on stderr, with the priority that it reads there`() {
        #expect(lines(stream: EventLog.stream(of:)) { $0.write(event) }.hasPrefix("<4>two"))
    }
}
