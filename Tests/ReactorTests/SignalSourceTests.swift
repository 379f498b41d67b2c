// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import Linux
import Reactor
import Testing

@Suite struct SignalSourceTests {
    /// Blocks signals in this thread for the time of `body`.
    private func blocking(_ signals: [Int32], _ body: () throws -> Void) rethrows {
        var set = sigset_t()
        var old = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        pthread_sigmask(SIG_BLOCK, &set, &old)
        defer { pthread_sigmask(SIG_SETMASK, &old, nil) }
        try body()
    }

    @Test func `signals become events of the loop, each once`() throws {
        try blocking([SIGUSR1, SIGUSR2, SIGWINCH]) {
            let reactor = try Reactor()
            var received: [Int32] = []
            let source = try SignalSource([SIGUSR1, SIGUSR2], on: reactor) { received.append($0) }
            // To this thread alone, so that no other test sees them.
            pthread_kill(pthread_self(), SIGUSR2)
            pthread_kill(pthread_self(), SIGUSR1)
            pthread_kill(pthread_self(), SIGUSR1)
            pthread_kill(pthread_self(), SIGWINCH)
            try reactor.turn()
            #expect(received.sorted() == [SIGUSR1, SIGUSR2].sorted())
            pthread_kill(pthread_self(), SIGUSR1)
            try reactor.turn()
            #expect(received.count == 3 && received.last == SIGUSR1)
            withExtendedLifetime(source) {}
        }
    }

    @Test func `the signals that menshen handles are reload and stop`() {
        #expect(SignalSource.handled == [SIGHUP, SIGTERM, SIGINT])
        #expect(SignalSource.hangup == SIGHUP)
    }
}
