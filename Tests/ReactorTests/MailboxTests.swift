// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Linux
import Reactor
import Testing

@Suite struct MailboxTests {
    private struct Message: Sendable {
        var sender: Int
        var number: Int
    }

    @Test func `many threads post, nothing is lost, and each thread's messages keep their order`() throws {
        let senders = 8
        let each = 5_000
        let reactor = try Reactor()
        let box = try Mailbox<Message>()
        var received = [Int](repeating: 0, count: senders)
        var outOfOrder = 0
        let reader = try MailboxReader(box, on: reactor) { message in
            if message.number != received[message.sender] { outOfOrder += 1 }
            received[message.sender] += 1
            if received.allSatisfy({ $0 >= each }) { reactor.stop() }
        }
        let threads = try (0..<senders).map { sender in
            try NamedThread("sender \(sender)") {
                for number in 0..<each { box.post(Message(sender: sender, number: number)) }
            }
        }
        // Ends only when the last message has come.
        try reactor.run()
        for thread in threads { thread.join() }
        #expect(outOfOrder == 0)
        #expect(received == [Int](repeating: each, count: senders))
        withExtendedLifetime(reader) {}
    }

    @Test func `a message posted while messages are read arrives in a later turn`() throws {
        let reactor = try Reactor()
        let box = try Mailbox<Int>()
        var received: [Int] = []
        let reader = try MailboxReader(box, on: reactor) { number in
            received.append(number)
            if number < 3 { box.post(number + 1) }
        }
        box.post(1)
        for turn in 1...3 {
            try reactor.turn()
            #expect(received == Array(1...turn))
        }
        withExtendedLifetime(reader) {}
    }

    @Test func `what was posted before there was a reader is read`() throws {
        let reactor = try Reactor()
        let box = try Mailbox<Int>()
        for number in 0..<5 { box.post(number) }
        var received: [Int] = []
        let reader = try MailboxReader(box, on: reactor) { received.append($0) }
        try reactor.turn()
        #expect(received == [0, 1, 2, 3, 4])
        withExtendedLifetime(reader) {}
    }
}
