// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import MenshenCore
import Testing

@testable import MenshenDaemon

/// One that waits.
private final class Guest {}

/// Who waits in a worker, and who is found when what was waited for comes.
struct WaitingRoomTests {
    private static func id(_ number: Int64) -> RequestID { RequestID(rawValue: number) }

    private static func key(_ prompt: String) throws -> CacheKey {
        var parser = RequestParser()
        let bytes = Array("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
        guard case .head(let head, _) = try parser.parse(bytes.span, limit: 1 << 20) else { throw RequestIncomplete() }
        let parts = CacheKeyParts(dialect: .openai, operation: .chat, path: "/v1/chat/completions", query: nil)
        return try #require(CacheKey(parts, head, body: Array("{\"prompt\":\"\(prompt)\"}".utf8)))
    }

    private static let answer = CachedAnswer(
        status: 200, fieldLines: [], body: [1], isStream: false, storedAt: 0, requestID: id(1))

    @Test func `each hears once, in the order of coming`() {
        var room = WaitingRoom<Guest>()
        let (first, second) = (Guest(), Guest())
        #expect(!room.hasWork)
        room.awaitTurn(first)
        room.awaitTurn(second)
        #expect(room.hasWork)
        let taken = room.takeTurns()
        #expect(taken.count == 2 && taken[0] === first && taken[1] === second)
        #expect(!room.hasWork && room.takeTurns().isEmpty)
        room.awaitReceipt(first, Self.id(1))
        room.awaitLookup(second, Self.id(2))
        #expect(room.takeReceipt(Self.id(2)) == nil && room.takeLookup(Self.id(1)) == nil)
        #expect(room.takeReceipt(Self.id(1)) === first && room.takeReceipt(Self.id(1)) == nil)
        #expect(room.takeLookup(Self.id(2)) === second && room.takeLookup(Self.id(2)) == nil)
    }

    @Test func `a key is for those who wait for that provider's, a reload for all`() {
        var room = WaitingRoom<Guest>()
        let guests = (0..<3).map { _ in Guest() }
        room.awaitKey(guests[0], of: 0)
        room.awaitKey(guests[1], of: 1)
        room.awaitKey(guests[2], of: 1)
        #expect(room.takeKey(of: 1).map(ObjectIdentifier.init) == guests[1...].map(ObjectIdentifier.init))
        #expect(room.takeKey(of: 1).isEmpty)
        room.awaitKey(guests[1], of: 7)
        #expect(Set(room.takeKeys().map(ObjectIdentifier.init)) == Set(guests[..<2].map(ObjectIdentifier.init)))
        #expect(room.takeKeys().isEmpty)
    }

    @Test func `one that has left is not found, whatever comes`() throws {
        var room = WaitingRoom<Guest>()
        let (leaving, staying) = (Guest(), Guest())
        room.awaitReceipt(leaving, Self.id(1))
        room.awaitLookup(leaving, Self.id(1))
        room.awaitKey(leaving, of: 0)
        room.awaitKey(staying, of: 0)
        room.awaitPage(PendingPage(missing: 0, survey: Survey(providers: [])) { _, _ in }, Self.id(1))
        room.leave(leaving, Self.id(1))
        #expect(room.takeReceipt(Self.id(1)) == nil && room.takeLookup(Self.id(1)) == nil)
        #expect(room.takeKey(of: 0).map(ObjectIdentifier.init) == [ObjectIdentifier(staying)])
        #expect(room.rowsCame([], Self.id(1)) == nil)
    }

    @Test func `an answer is for all who wanted the same`() throws {
        var room = WaitingRoom<Guest>()
        let (leader, second, third, other) = (Guest(), Guest(), Guest(), Guest())
        let (key, otherKey) = (try Self.key("a"), try Self.key("b"))
        #expect(!room.join(leader, key) && !room.join(other, otherKey))
        #expect(!room.hasFollowers(leader, key))
        #expect(room.join(second, key) && room.join(third, key))
        #expect(room.hasFollowers(leader, key) && !room.hasFollowers(second, key))
        room.endFlight(of: leader, key, Self.answer, hasLeft: false)
        var gifted: Set<ObjectIdentifier> = []
        while let gift = room.takeGift() { gifted.insert(ObjectIdentifier(gift.waiter)) }
        #expect(gifted == Set([second, third].map(ObjectIdentifier.init)))
        #expect(room.join(second, key) == false, "it is over, and the next begins")
    }

    @Test func `when the one with the request leaves, another takes its place and the rest goes on waiting`() throws {
        var room = WaitingRoom<Guest>()
        let (leader, second, third) = (Guest(), Guest(), Guest())
        let key = try Self.key("a")
        _ = room.join(leader, key)
        _ = room.join(second, key)
        _ = room.join(third, key)
        room.endFlight(of: leader, key, nil, hasLeft: true)
        #expect(room.takeTurns().map(ObjectIdentifier.init) == [ObjectIdentifier(second)])
        #expect(room.hasFollowers(second, key))
        room.endFlight(of: third, key, nil, hasLeft: true)
        #expect(!room.hasFollowers(second, key), "a follower may leave too")
    }

    @Test func `an answer that may not be shared has all ask for themselves`() throws {
        var room = WaitingRoom<Guest>()
        let guests = (0..<3).map { _ in Guest() }
        let key = try Self.key("a")
        for guest in guests { _ = room.join(guest, key) }
        room.endFlight(of: guests[0], key, nil, hasLeft: false)
        #expect(room.takeTurns().count == 2 && room.takeGift() == nil)
    }

    @Test func `a page is made once its rows and every worker's survey are there`() throws {
        func survey(_ active: Int, _ name: String = "a") throws -> Survey {
            let url = try #require(BaseURL("http://h"))
            let provider = Provider(name: name, kind: .openai, baseURL: url, key: .none)
            var report = ProviderReport(
                provider, ProviderState(provider, worker: 0, of: 1), keyTrouble: nil, now: 0)
            report.active = active
            return Survey(providers: [report])
        }
        var room = WaitingRoom<Guest>()
        room.awaitPage(PendingPage(missing: 2, survey: try survey(1)) { _, _ in }, Self.id(1))
        #expect(room.surveyCame(try survey(2), Self.id(1)) == nil)
        #expect(room.rowsCame([], Self.id(1)) == nil)
        let page = try #require(room.surveyCame(try survey(4, "b"), Self.id(1)))
        #expect(page.survey.providers.map(\.active) == [3], "a provider that only another worker has is left out")
        #expect(room.surveyCame(try survey(8), Self.id(1)) == nil)
    }
}

private struct RequestIncomplete: Error {}
