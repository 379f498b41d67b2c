// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc

/// What a person types without its being shown, or what comes in through a pipe. The caller wipes what it gets.
package enum SecretInput {
    package static var isTerminal: Bool { isatty(0) == 1 }

    /// All of standard input; a byte more than `limit` tells that there is more.
    package static func piped(limit: Int) throws(SystemError) -> [UInt8] {
        // One allocation: a buffer that grows leaves copies behind.
        var bytes = [UInt8](repeating: 0, count: limit + 1)
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes { read(0, $0.baseAddress.map { $0 + count }, $0.count - count) }
            if got < 0, errno == EINTR { continue }
            if got < 0 { throw SystemError("read", code: errno, subject: "standard input") }
            if got == 0 { break }
            count += got
        }
        bytes.removeLast(bytes.count - count)
        return bytes
    }

    /// One line from the terminal, which shows nothing of it. A signal finds the terminal as it was; after a stop by ^Z the question is
    /// asked again. What was pasted behind the line is thrown away, so that no shell gets it.
    package static func typed(_ prompt: String, limit: Int) throws(SystemError) -> [UInt8] {
        let terminal = OwnedDescriptor(open("/dev/tty", O_RDWR | O_CLOEXEC))
        guard terminal.raw >= 0 else { throw SystemError("open", code: errno, subject: "/dev/tty") }
        while true {
            switch try ask(terminal.raw, prompt, limit) {
            case .success(let bytes): return bytes
            case .failure(.call(let error)): throw error
            // Ends the process, or stops it until it is continued.
            case .failure(.signal(let number)): raise(number)
            }
        }
    }

    private enum Interruption: Error {
        case signal(Int32)
        case call(SystemError)
    }

    private static func ask(
        _ terminal: Int32, _ prompt: String, _ limit: Int
    ) throws(SystemError) -> Result<[UInt8], Interruption> {
        var shown = try settings(of: terminal)
        let signals = try HeldSignals([SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP])
        defer { signals.release() }
        var hidden = shown
        hidden.c_lflag &= ~tcflag_t(ECHO | ECHONL)
        guard tcsetattr(terminal, TCSAFLUSH, &hidden) == 0 else {
            throw SystemError("tcsetattr", code: errno, subject: "/dev/tty")
        }
        write(prompt, to: terminal)
        let answer = line(terminal, signals, limit)
        write("\n", to: terminal)
        tcsetattr(terminal, TCSAFLUSH, &shown)
        return answer
    }

    private static func settings(of terminal: Int32) throws(SystemError) -> termios {
        var settings = termios()
        guard tcgetattr(terminal, &settings) == 0 else {
            throw SystemError("tcgetattr", code: errno, subject: "/dev/tty")
        }
        return settings
    }

    private static func line(
        _ terminal: Int32, _ signals: HeldSignals, _ limit: Int
    ) -> Result<[UInt8], Interruption> {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(limit + 1)
        while bytes.count <= limit {
            var polls = [
                pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: terminal, events: Int16(POLLIN), revents: 0),
            ]
            if poll(&polls, 2, -1) < 0 {
                if errno == EINTR { continue }
                return .failure(.call(SystemError("poll", code: errno)))
            }
            if polls[0].revents != 0 {
                guard let number = signals.next() else { continue }
                for index in bytes.indices { bytes[index] = 0 }
                return .failure(.signal(number))
            }
            var byte: UInt8 = 0
            let got = read(terminal, &byte, 1)
            if got < 0, errno == EINTR || errno == EAGAIN { continue }
            // ^D, or the terminal is gone.
            if got <= 0 || byte == 10 { break }
            bytes.append(byte)
        }
        return .success(bytes)
    }

    private static func write(_ text: String, to descriptor: Int32) {
        let bytes = Array(text.utf8)
        _ = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    }
}
