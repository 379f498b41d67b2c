// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

@testable import MenshenDaemon

/// One that waits.
private final class Guest {}

/// Who waits in a worker, and who is found when what was waited for comes.
struct WaitingRoomTests {
    private static func id(_ number: Int64) -> RequestID { RequestID(rawValue: number) }

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
        room.awaitPlace(leaving, Self.id(1))
        room.awaitFlight(leaving, Self.id(1))
        #expect(room.awaitPage(PendingPage(missing: 0, survey: Survey(providers: [])) { _, _ in }, Self.id(1)) == nil)
        room.leave(leaving, Self.id(1))
        room.flightEnded(Self.id(1), Self.answer)
        #expect(room.waitsForPlace(Self.id(1)) == nil && !room.hasWork)
        #expect(room.takeReceipt(Self.id(1)) == nil && room.takeLookup(Self.id(1)) == nil)
        #expect(room.takeKey(of: 0).map(ObjectIdentifier.init) == [ObjectIdentifier(staying)])
        #expect(room.rowsCame([], Self.id(1)) == nil)
    }

    @Test func `an answer that another brings is a gift, and without one each asks for itself`() {
        var room = WaitingRoom<Guest>()
        let guests = (0..<3).map { _ in Guest() }
        for (number, guest) in guests.enumerated() { room.awaitFlight(guest, Self.id(Int64(number))) }
        room.flightEnded(Self.id(0), Self.answer)
        let gift = room.takeGift()
        #expect(gift?.waiter === guests[0] && gift?.answer == Self.answer && !room.hasWork)
        room.leaveFlight(Self.id(1))
        room.flightEnded(Self.id(1), Self.answer)
        room.flightEnded(Self.id(0), Self.answer)
        #expect(!room.hasWork, "one has left, and the other has heard of it before")
        room.flightEnded(Self.id(2), nil)
        #expect(room.takeTurns().map(ObjectIdentifier.init) == [ObjectIdentifier(guests[2])])
    }

    @Test func `who waits for a place is found until it ends that itself`() {
        var room = WaitingRoom<Guest>()
        let guest = Guest()
        room.awaitPlace(guest, Self.id(1))
        #expect(room.waitsForPlace(Self.id(1)) === guest && room.waitsForPlace(Self.id(1)) === guest)
        #expect(room.waitsForPlace(Self.id(2)) == nil)
        room.endWaiting(Self.id(1))
        #expect(room.waitsForPlace(Self.id(1)) == nil)
    }

    @Test func `a page is made once its rows and every worker's survey are there`() throws {
        func survey(_ trouble: String?, _ name: String = "a") throws -> Survey {
            let url = try #require(BaseURL("http://h"))
            let provider = Provider(name: name, kind: .openai, baseURL: url, key: .none)
            let state = ProviderState(provider)
            #expect(state.places.enter())
            return Survey(providers: [ProviderReport(provider, state, keyTrouble: trouble, now: 0)])
        }
        var room = WaitingRoom<Guest>()
        #expect(room.awaitPage(PendingPage(missing: 2, survey: try survey(nil)) { _, _ in }, Self.id(1)) == nil)
        #expect(room.surveyCame(try survey("its file is gone"), Self.id(1)) == nil)
        #expect(room.rowsCame([], Self.id(1)) == nil)
        let page = try #require(room.surveyCame(try survey("x", "b"), Self.id(1)))
        #expect(page.survey.providers.map(\.name) == ["a"], "a provider that only another worker has is left out")
        #expect(page.survey.providers.map(\.keyTrouble) == ["its file is gone"])
        #expect(page.survey.providers.map(\.active) == [1], "all count the same places")
        #expect(room.surveyCame(try survey("x"), Self.id(1)) == nil)
    }
}
