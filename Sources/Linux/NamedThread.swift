// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc
internal import Synchronization

/// One operating-system thread that runs one function. Its name shows in `ps -T` and in crash reports.
package final class NamedThread: Sendable {
    private let handle: Mutex<pthread_t?>

    /// Starts the thread. `name` is cut to 15 bytes, the kernel's limit. All signals are blocked in it, so that the
    /// thread that reads the signal descriptor is the only one to see them.
    package init(_ name: String, _ body: @escaping @Sendable () -> Void) throws(SystemError) {
        let start = Unmanaged.passRetained(
            Start(name: String(decoding: name.utf8.prefix(15), as: UTF8.self), body: body))
        var every = sigset_t()
        var before = sigset_t()
        sigfillset(&every)
        pthread_sigmask(SIG_BLOCK, &every, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        var thread = pthread_t()
        let result = pthread_create(&thread, nil, { Start.run($0) }, start.toOpaque())
        guard result == 0 else {
            start.release()
            throw SystemError("pthread_create", code: result, subject: name)
        }
        handle = Mutex(thread)
    }

    /// Waits until the function has returned. Later calls return at once.
    package func join() {
        let thread = handle.withLock { handle in
            defer { handle = nil }
            return handle
        }
        if let thread { pthread_join(thread, nil) }
    }

    private final class Start {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }

        static func run(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
            guard let argument else { return nil }
            let start = Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
            clinux_set_thread_name(start.name)
            start.body()
            return nil
        }
    }
}
