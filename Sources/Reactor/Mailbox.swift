// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import Linux
package import Synchronization

/// The one way into a reactor's thread: messages from any thread, taken out by the loop that owns the other end.
/// Inlinable, so that the code for a message is made where its type is known: unspecialised it costs three times as much.
package final class Mailbox<Message: Sendable>: Sendable {
    @usableFromInline struct State {
        @usableFromInline var messages: [Message] = []
        /// The loop waits, or is about to: it must be woken. A busy loop looks by itself before it waits.
        @usableFromInline var isLoopAsleep = true

        @inlinable init() {}
    }

    @usableFromInline let state = Mutex(State())
    @usableFromInline let wake: Wake

    @inlinable package init() throws(SystemError) { wake = try Wake() }

    /// Any thread.
    @inlinable package func post(_ message: Message) {
        let mustWake = state.withLock { state in
            state.messages.append(message)
            guard state.isLoopAsleep else { return false }
            state.isLoopAsleep = false
            return true
        }
        if mustWake { wake.signal() }
    }

    /// The loop's thread: everything that has arrived; if that is nothing, the loop may sleep.
    @inlinable @inline(__always) func take() -> [Message] {
        state.withLock { state in
            state.isLoopAsleep = state.messages.isEmpty
            defer { state.messages = [] }
            return state.messages
        }
    }
}

/// The reading end of a mailbox on its reactor. Not generic itself: as a witness of a generic class its code would be made
/// without its type.
package final class MailboxReader: ReadinessHandler, BeforeWait {
    private let wake: Wake
    private let read: () -> Bool

    @inlinable @inline(__always) package convenience init<Message: Sendable>(
        _ mailbox: Mailbox<Message>, on reactor: Reactor, _ receive: @escaping (Message) -> Void
    ) throws(SystemError) {
        try self.init(mailbox.wake, on: reactor) {
            let messages = mailbox.take()
            for message in messages { receive(message) }
            return messages.isEmpty
        }
    }

    /// `read` takes the messages and says whether there were none.
    @usableFromInline init(_ wake: Wake, on reactor: Reactor, _ read: @escaping () -> Bool) throws(SystemError) {
        self.wake = wake
        self.read = read
        try reactor.register(wake.descriptor, .readable, self)
        reactor.beforeWait.append(self)
    }

    /// The wake itself; the messages are taken before the next wait.
    package func ready(_ descriptor: Int32, _ readiness: Readiness) { wake.clear() }

    package func isReadyToWait() -> Bool { read() }
}
