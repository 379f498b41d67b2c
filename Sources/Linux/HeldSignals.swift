// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc

/// Signals held back, so that a process can tidy up before it goes by them. Belongs to the thread that makes it.
struct HeldSignals {
    /// Becomes readable when one has come.
    let descriptor: Int32
    private let numbers: [Int32]
    private let actions: [sigaction]

    init(_ numbers: [Int32]) throws(SystemError) {
        self.numbers = numbers
        actions = numbers.map { number in
            var action = sigaction()
            sigaction(number, nil, &action)
            return action
        }
        descriptor = try SystemError.check(clinux_signalfd(numbers, numbers.count), "signalfd")
    }

    /// One that has come; nil: none has.
    func next() -> Int32? {
        // A signalfd_siginfo, which begins with the signal's number.
        var number: [Int32] = Array(repeating: 0, count: 32)
        return read(descriptor, &number, 128) == 128 ? number[0] : nil
    }

    func release() {
        // The descriptor came with handlers of its own.
        for (number, action) in zip(numbers, actions) {
            var action = action
            sigaction(number, &action, nil)
        }
        var set = sigset_t()
        sigemptyset(&set)
        for number in numbers { sigaddset(&set, number) }
        sigprocmask(SIG_UNBLOCK, &set, nil)
        close(descriptor)
    }
}
