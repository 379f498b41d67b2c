// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc
package import Linux

/// Turns signals into events of a reactor. Making one blocks the signals in the calling thread and in those it starts
/// later; a thread that exists already must have them blocked, or it takes them.
package final class SignalSource: ReadinessHandler {
    private let descriptor: Int32
    private let receive: (Int32) -> Void

    package init(_ signals: [Int32], on reactor: Reactor, _ receive: @escaping (Int32) -> Void) throws(SystemError) {
        descriptor = try SystemError.check(clinux_signalfd(signals, signals.count), "signalfd")
        self.receive = receive
        try reactor.register(descriptor, .readable, self)
    }

    deinit { close(descriptor) }

    /// Blocks signals before there is a source for them, which then finds those that have come.
    package static func hold(_ signals: [Int32]) {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    package func ready(_ descriptor: Int32, _ readiness: Readiness) {
        var record = [UInt8](repeating: 0, count: 128)
        while read(descriptor, &record, 128) == 128 {
            // ssi_signo is the first field of signalfd_siginfo.
            let number = record.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
            receive(Int32(number))
        }
    }
}

extension SignalSource {
    package static var hangup: Int32 { SIGHUP }
    /// Reload, and the two ways to be told to stop.
    package static var handled: [Int32] { [SIGHUP, SIGTERM, SIGINT] }
}
