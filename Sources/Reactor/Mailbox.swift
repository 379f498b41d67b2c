// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import Linux
internal import Synchronization

/// The one way into a reactor's thread: messages from any thread, taken out by the loop that owns the other end.
package final class Mailbox<Message: Sendable>: Sendable {
    private let messages = Mutex<[Message]>([])
    private let wake: Wake

    package init() throws(SystemError) { wake = try Wake() }

    /// Any thread. The loop is woken only if the box was empty.
    package func post(_ message: Message) {
        let wasEmpty = messages.withLock { messages in
            messages.append(message)
            return messages.count == 1
        }
        if wasEmpty { wake.signal() }
    }

    /// The loop's thread: everything that has arrived.
    fileprivate func take() -> [Message] {
        wake.clear()
        return messages.withLock { messages in
            defer { messages = [] }
            return messages
        }
    }

    fileprivate var descriptor: Int32 { wake.descriptor }
}

/// The reading end of a mailbox on its reactor.
package final class MailboxReader<Message: Sendable>: ReadinessHandler {
    private let mailbox: Mailbox<Message>
    private let receive: (Message) -> Void

    package init(_ mailbox: Mailbox<Message>, on reactor: Reactor, _ receive: @escaping (Message) -> Void)
        throws(SystemError)
    {
        self.mailbox = mailbox
        self.receive = receive
        try reactor.register(mailbox.descriptor, .readable, self)
    }

    package func ready(_ descriptor: Int32, _ readiness: Readiness) {
        for message in mailbox.take() { receive(message) }
    }
}
