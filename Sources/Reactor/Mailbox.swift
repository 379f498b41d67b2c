// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import Linux
internal import Synchronization

/// The one way into a reactor's thread: messages from any thread, taken out by the loop that owns the other end.
package final class Mailbox<Message: Sendable>: Sendable {
    private struct State {
        var messages: [Message] = []
        /// The loop waits, or is about to: it must be woken. A busy loop looks by itself before it waits.
        var isLoopAsleep = true
    }

    private let state = Mutex(State())
    private let wake: Wake

    package init() throws(SystemError) { wake = try Wake() }

    /// Any thread.
    package func post(_ message: Message) {
        let mustWake = state.withLock { state in
            state.messages.append(message)
            defer { state.isLoopAsleep = false }
            return state.isLoopAsleep
        }
        if mustWake { wake.signal() }
    }

    /// The loop's thread: everything that has arrived; if that is nothing, the loop may sleep.
    fileprivate func take() -> [Message] {
        state.withLock { state in
            state.isLoopAsleep = state.messages.isEmpty
            defer { state.messages = [] }
            return state.messages
        }
    }

    fileprivate func clear() { wake.clear() }

    fileprivate var descriptor: Int32 { wake.descriptor }
}

/// The reading end of a mailbox on its reactor.
package final class MailboxReader<Message: Sendable>: ReadinessHandler, BeforeWait {
    private let mailbox: Mailbox<Message>
    private let receive: (Message) -> Void

    package init(_ mailbox: Mailbox<Message>, on reactor: Reactor, _ receive: @escaping (Message) -> Void)
        throws(SystemError)
    {
        self.mailbox = mailbox
        self.receive = receive
        try reactor.register(mailbox.descriptor, .readable, self)
        reactor.beforeWait.append(self)
    }

    /// The wake itself; the messages are taken before the next wait.
    package func ready(_ descriptor: Int32, _ readiness: Readiness) { mailbox.clear() }

    package func isReadyToWait() -> Bool {
        let messages = mailbox.take()
        for message in messages { receive(message) }
        return messages.isEmpty
    }
}
