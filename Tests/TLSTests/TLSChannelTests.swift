// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

@testable import TLS

struct TLSChannelTests {
    private let directory: TemporaryDirectory
    private let authority: TestAuthority
    private let client: TLSClient

    init() throws {
        directory = try TemporaryDirectory()
        authority = try TestAuthority()
        try authority.write(to: directory.path("ca.pem"))
        client = TLSClient(TLSFiles(authorities: directory.path("ca.pem")))
    }

    private func pair(_ tickets: Tickets = Tickets()) throws -> Pair {
        let pair = try Pair(client, TLSPeer(authority.sign("DNS:a.test")), tickets)
        #expect(pair.shake() == nil && pair.server.isUp)
        return pair
    }

    @Test(arguments: [1, 2, 7, 1000, Int.max])
    func `a handshake in pieces of any size`(size: Int) throws {
        let pair = try Pair(client, TLSPeer(authority.sign("DNS:a.test")))
        #expect(pair.shake(size) == nil)
        #expect(pair.server.isUp && pair.server.askedName == "a.test" && !pair.channel.speaksHTTP2)
    }

    @Test func `what is said arrives, in both directions and in pieces of any size`() throws {
        let pair = try pair()
        var random = SeededGenerator(state: 14)
        for count in [1, 2, 16_383, 16_384, 16_385, 40_000, 200_000] {
            let text = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            var heard: [UInt8] = []
            var sent = 0
            while sent < count {
                let taken = text[sent...].withUnsafeBytes { pair.channel.write($0) }
                sent += try #require(taken)
                heard += pair.carryOut()
            }
            #expect(heard == text)
            pair.server.say(text)
            var records = pair.server.records()[...]
            heard = []
            while !records.isEmpty || pair.channel.hasMore {
                let piece = records.prefix(Int.random(in: 1...50_000, using: &random))
                records = records.dropFirst(piece.count)
                heard += pair.read(Array(piece), Int.random(in: 1...40_000, using: &random)).bytes
            }
            #expect(heard == text)
        }
    }

    @Test func `all that may come has room where a buffer is large`() throws {
        let pair = try pair()
        pair.server.say([UInt8](repeating: 7, count: 300_000))
        var records = pair.server.records()[...]
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        let intake = buffer.withUnsafeMutableBytes { TLSChannel.intake(for: $0) }
        #expect(intake > 40_000)
        var count = 0
        while !records.isEmpty {
            count += pair.read(Array(records.prefix(intake)), buffer.count).bytes.count
            records = records.dropFirst(intake)
            #expect(!pair.channel.hasMore)
        }
        #expect(count == 300_000)
    }

    @Test func `a goodbye is told from a cut, and is said`() throws {
        let pair = try pair()
        #expect(!pair.channel.isClosed && pair.read([]).end == nil)
        pair.server.say(Array("last".utf8))
        pair.server.sayGoodbye()
        #expect(pair.read(pair.server.records()).bytes == Array("last".utf8))
        #expect(pair.channel.isClosed && pair.channel.hasMore && pair.read([]).end == "closed")
        #expect(!pair.server.heardGoodbye)
        pair.channel.sayGoodbye()
        pair.carryOut()
        #expect(pair.server.heardGoodbye)
    }

    @Test(arguments: [false, true])
    func `the next handshakes are short, and no ticket of TLS 1.3 is used twice`(isTLS12: Bool) throws {
        let tickets = Tickets()
        let identity = try authority.sign("DNS:a.test")
        let first = try Pair(client, TLSPeer(identity, isTLS12: isTLS12), tickets)
        #expect(first.shake() == nil && !first.channel.wasResumed)
        #expect(tickets.count == (isTLS12 ? 1 : 2))
        for _ in 0..<3 {
            let next = try Pair(client, TLSPeer(identity, keysOf: first.server, isTLS12: isTLS12), tickets)
            #expect(tickets.count == (isTLS12 ? 0 : 1))
            #expect(next.shake() == nil && next.channel.wasResumed && next.server.wasResumed)
            // A resumed handshake brings one new ticket; of TLS 1.2 the session is kept.
            #expect(tickets.count == (isTLS12 ? 1 : 2))
        }
    }

    @Test func `a ticket outlives its connection however that ends`() throws {
        let tickets = Tickets()
        let identity = try authority.sign("DNS:a.test")
        var first: Pair? = try Pair(client, TLSPeer(identity), tickets)
        #expect(first?.shake() == nil)
        let server = first?.server
        first = nil
        let next = try Pair(client, TLSPeer(identity, keysOf: server), tickets)
        #expect(next.shake() == nil && next.channel.wasResumed)
    }

    @Test(arguments: [
        ("DNS:a.test", "a.test", -1, 1, nil), ("DNS:a.test", "A.TEST", -1, 1, nil),
        ("DNS:a.test", "a.test.", -1, 1, nil),
        ("DNS:*.llm.test", "a.llm.test", -1, 1, nil), ("IP:127.0.0.1", "127.0.0.1", -1, 1, nil),
        ("IP:::1", "::1", -1, 1, nil),
        ("DNS:b.test, DNS:*.c.test", "a.test", -1, 1, "is for b.test, *.c.test, not for a.test"),
        ("DNS:*.llm.test", "a.b.llm.test", -1, 1, "not for a.b.llm.test"),
        ("DNS:*.llm.test", "llm.test", -1, 1, "not for llm.test"),
        ("DNS:l*.llm.test", "la.llm.test", -1, 1, "not for la.llm.test"),
        ("DNS:127.0.0.1", "127.0.0.1", -1, 1, "not for 127.0.0.1"),
        ("IP:127.0.0.2", "127.0.0.1", -1, 1, "is for 127.0.0.2, not for 127.0.0.1"),
        ("DNS:a.test", "a.test", -9, -2, "has expired on 20"), ("DNS:a.test", "a.test", 2, 9, "is not valid before 20"),
    ])
    func `a certificate is for whom it names, and for its time`(
        names: String, host: String, from: Int, to: Int, fault: String?
    ) throws {
        let pair = try Pair(client, TLSPeer(authority.sign(names, from: from, to: to)), host: host)
        let found = pair.shake()
        if let fault {
            #expect(found?.description.contains(fault) == true, "\(String(describing: found))")
        } else {
            #expect(found == nil)
        }
    }

    @Test func `whom nobody knows is named, with the setting that would help`() throws {
        let stranger = try TestAuthority("Somebody else")
        let pair = try Pair(client, TLSPeer(stranger.sign("DNS:a.test")))
        let fault = try #require(pair.shake()).description
        #expect(fault.contains("issuer /CN=Somebody else") && fault.contains("ca_file"), "\(fault)")
    }

    @Test func `HTTP/2 is spoken where both want it`() throws {
        for (offers, speaks) in [(true, true), (false, false)] {
            let pair = try Pair(client, TLSPeer(authority.sign("DNS:a.test"), protocol: "h2"), offersHTTP2: offers)
            #expect(pair.shake() == nil && pair.channel.speaksHTTP2 == speaks)
        }
    }

    @Test(arguments: [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak TLS"),
        ("\u{15}\u{3}\u{1}\0\u{2}\u{2}\u{46}", "before 1.2"),
        ("\u{15}\u{3}\u{3}\0\u{2}\u{2}\u{28}", "refused the handshake"),
    ])
    func `an answer that is no handshake is explained`(answer: String, fault: String) throws {
        let pair = try Pair(client, TLSPeer(authority.sign("DNS:a.test")))
        _ = pair.channel.handshake(UnsafeRawBufferPointer(start: nil, count: 0))
        let step = Array(answer.utf8).withUnsafeBytes { pair.channel.handshake($0) }
        guard case .failed(let found) = step else {
            Issue.record("\(step)")
            return
        }
        #expect(found.description.contains(fault), "\(found)")
    }

    @Test func `a record that was altered ends it, behind what came before`() throws {
        let pair = try pair()
        pair.server.say(Array("good".utf8))
        var records = pair.server.records()
        pair.server.say(Array("evil".utf8))
        var altered = pair.server.records()
        altered[altered.count - 1] ^= 1
        records += altered
        #expect(pair.read(records).bytes == Array("good".utf8))
        #expect(pair.channel.hasMore && pair.read([]).end != nil)
        pair.channel.sayGoodbye()
        #expect(pair.channel.write(UnsafeRawBufferPointer(start: nil, count: 0)) == 0)
    }

    @Test func `new keys are agreed on without a word to anybody`() throws {
        let pair = try pair()
        for round in 0..<40 {
            pair.server.changeKeys()
            pair.server.say([UInt8(round)])
            #expect(pair.read(pair.server.records()).bytes == [UInt8(round)])
            #expect([UInt8(round)].withUnsafeBytes { pair.channel.write($0) } == 1)
            #expect(pair.carryOut() == [UInt8(round)])
        }
    }

    @Test func `authorities that cannot be read are a fault, and are read again`() throws {
        let path = directory.path("late.pem")
        let late = TLSClient(TLSFiles(authorities: path))
        #expect(throws: TLSFault.self) {
            try TLSChannel(late, host: "a.test", offersHTTP2: false, through: Pipe(), Tickets())
        }
        try authority.write(to: path)
        let pair = try Pair(late, TLSPeer(authority.sign("DNS:a.test")))
        #expect(pair.shake() == nil)
    }
}
