// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc

/// All of the terminal behind standard output, drawn anew again and again, and its keys. What stood there before is there again
/// when it ends, whichever signal or fault ends it, and while ^Z stops it. Belongs to the main thread.
package final class FullScreen {
    package enum Key: Sendable, Equatable {
        case letter(Character)
        case up, down, pageUp, pageDown, home, end
    }

    package enum Event: Sendable, Equatable {
        case key(Key)
        /// It has another size, or has to be drawn anew for another reason.
        case resized
        /// Somebody has called `Wake.signal`.
        case woken
        /// A signal ends the process, or the terminal has gone.
        case over
    }

    /// Alternate screen, no cursor, and lines that are too long are cut.
    private static let enter = "\u{1b}[?1049h\u{1b}[?25l\u{1b}[?7l"
    private static let leave: StaticString = "\u{1b}[?7h\u{1b}[?25h\u{1b}[?1049l"

    /// Where keys come from; negative: from nowhere.
    private let terminal: OwnedDescriptor
    private let signals: HeldSignals
    private var usual = termios()
    private var isEntered = false

    package init() throws(SystemError) {
        terminal = OwnedDescriptor(open("/dev/tty", O_RDWR | O_CLOEXEC))
        signals = try HeldSignals([SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH])
        // A static string stays where it is, and ends with a zero.
        unsafe Self.leave.utf8Start.withMemoryRebound(to: CChar.self, capacity: Self.leave.utf8CodeUnitCount + 1) {
            unsafe clinux_restore_terminal_on_crash(terminal.raw, $0)
        }
        enter()
    }

    /// Draws lines that are no longer than the screen, and no more than it has. False: there is no terminal any more.
    package func draw(_ lines: [String]) -> Bool {
        let text = lines.map { $0 + "\u{1b}[K" }.joined(separator: "\n")
        return StandardStream.output.write(Array("\u{1b}[H\(text)\u{1b}[J".utf8))
    }

    /// Waits until something has happened.
    package func wait(for wake: Wake) -> [Event] {
        var polls = [
            pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: terminal.raw, events: Int16(POLLIN), revents: 0),
        ]
        guard poll(&polls, 3, -1) > 0 else { return [] }
        var events: [Event] = []
        if polls[0].revents != 0 { while let number = signals.next() { events.append(took(number)) } }
        if polls[1].revents != 0 {
            wake.clear()
            events.append(.woken)
        }
        if polls[2].revents != 0 { events += keys() }
        return events
    }

    /// Puts back what was there. Once more is nothing.
    package func restore() {
        guard isEntered else { return }
        isEntered = false
        StandardStream.output.write(Self.leave.description)
        if terminal.raw >= 0 { tcsetattr(terminal.raw, TCSAFLUSH, &usual) }
    }

    private func enter() {
        isEntered = true
        if terminal.raw >= 0, tcgetattr(terminal.raw, &usual) == 0 {
            var raw = usual
            // Signals are still made of ^C and the like.
            raw.c_lflag &= ~tcflag_t(ECHO | ICANON)
            tcsetattr(terminal.raw, TCSAFLUSH, &raw)
        }
        StandardStream.output.write(Self.enter)
    }

    private func took(_ number: Int32) -> Event {
        switch number {
        case SIGWINCH: return .resized
        case SIGTSTP:
            restore()
            // Returns once it goes on.
            raise(SIGSTOP)
            enter()
            return .resized
        default: return .over
        }
    }

    // MARK: Keys

    private func keys() -> [Event] {
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = read(terminal.raw, &bytes, bytes.count)
        if count < 0, errno == EINTR || errno == EAGAIN { return [] }
        return count <= 0 ? [.over] : Self.keys(bytes[..<count]).map { .key($0) }
    }

    /// What terminals send for keys; what is not known is left out.
    package static func keys(_ bytes: ArraySlice<UInt8>) -> [Key] {
        var keys: [Key] = []
        var rest = bytes
        while let byte = rest.popFirst() {
            guard byte == 0x1b else {
                if (0x20..<0x7f).contains(byte) { keys.append(.letter(Character(Unicode.Scalar(byte)))) }
                continue
            }
            // A lone escape, or another key with Alt.
            guard let kind = rest.first, kind == UInt8(ascii: "[") || kind == UInt8(ascii: "O") else { continue }
            rest = rest.dropFirst()
            let parameters = rest.prefix { !(0x40..<0x7f).contains($0) }
            rest = rest.dropFirst(parameters.count)
            guard let final = rest.popFirst() else { break }
            if let key = key(String(decoding: parameters, as: UTF8.self), Character(Unicode.Scalar(final))) {
                keys.append(key)
            }
        }
        return keys
    }

    private static func key(_ parameters: String, _ final: Character) -> Key? {
        switch (parameters, final) {
        case (_, "A"): .up
        case (_, "B"): .down
        case (_, "H"), ("1", "~"), ("7", "~"): .home
        case (_, "F"), ("4", "~"), ("8", "~"): .end
        case ("5", "~"): .pageUp
        case ("6", "~"): .pageDown
        default: nil
        }
    }
}
