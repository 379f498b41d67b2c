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
            defer { state.isLoopAsleep = false }
            return state.isLoopAsleep
        }
        if mustWake { wake.signal() }
    }

    /// The loop's thread: everything that has arrived; if that is nothing, the loop may sleep.
    @inlinable func take() -> [Message] {
        state.withLock { state in
            state.isLoopAsleep = state.messages.isEmpty
            defer { state.messages = [] }
            return state.messages
        }
    }

    @inlinable func clear() { wake.clear() }

    @inlinable var descriptor: Int32 { wake.descriptor }
}

/// The reading end of a mailbox on its reactor.
package final class MailboxReader<Message: Sendable>: ReadinessHandler, BeforeWait {
    @usableFromInline let mailbox: Mailbox<Message>
    @usableFromInline let receive: (Message) -> Void

    @inlinable package init(_ mailbox: Mailbox<Message>, on reactor: Reactor, _ receive: @escaping (Message) -> Void)
        throws(SystemError)
    {
        self.mailbox = mailbox
        self.receive = receive
        try reactor.register(mailbox.descriptor, .readable, self)
        reactor.beforeWait.append(self)
    }

    /// The wake itself; the messages are taken before the next wait.
    @inlinable package func ready(_ descriptor: Int32, _ readiness: Readiness) { mailbox.clear() }

    @inlinable package func isReadyToWait() -> Bool {
        let messages = mailbox.take()
        for message in messages { receive(message) }
        return messages.isEmpty
    }
}
