// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

@testable import MenshenDaemon

private final class Guest: Admitted {
    let isTCP: Bool
    var isNewcomer: Bool
    var isLingering = false
    var isClosed = false

    init(tcp: Bool) {
        isTCP = tcp
        isNewcomer = tcp
    }
}

/// Who has to go when connections are short.
struct AdmissionTests {
    private let settings: ConnectionSettings
    /// Open connections, oldest first.
    private static func count(_ guests: [Guest]) -> Int { guests.count { !$0.isClosed } }

    init() {
        var configuration = Configuration()
        configuration.server.maxConnections = 16
        settings = ConnectionSettings(configuration, workers: 1)
    }

    private func open(_ guest: Guest, _ admission: inout Admission<Guest>, _ guests: inout [Guest]) {
        admission.opened(guest)
        guests.append(guest)
    }

    private func close(_ guest: Guest, _ admission: inout Admission<Guest>) {
        guest.isClosed = true
        admission.closed(guest)
    }

    @Test func `strangers on TCP leave room for the Unix socket, and the oldest of them goes first`() throws {
        var admission = Admission<Guest>()
        var guests: [Guest] = []
        for _ in 0..<settings.maxNewcomers { open(Guest(tcp: true), &admission, &guests) }
        let leaver = admission.leaver(for: true, of: Self.count(guests), settings)
        #expect(leaver === guests[0])
        close(guests[0], &admission)
        #expect(admission.leaver(for: true, of: Self.count(guests), settings) == nil)
        #expect(admission.leaver(for: false, of: Self.count(guests), settings) == nil)
    }

    @Test func `one that is known does not go, one that lingers goes before a newcomer`() {
        var admission = Admission<Guest>()
        var guests: [Guest] = []
        for _ in 0..<4 { open(Guest(tcp: true), &admission, &guests) }
        while Self.count(guests) < settings.maxConnections { open(Guest(tcp: false), &admission, &guests) }
        admission.leaves(guests[0])
        guests[2].isLingering = true
        #expect(admission.lingers(guests[2]) == nil)
        #expect(!admission.hasRoom(for: false, of: Self.count(guests), settings))
        #expect(admission.leaver(for: false, of: Self.count(guests), settings) === guests[2])
        close(guests[2], &admission)
        open(Guest(tcp: false), &admission, &guests)
        #expect(admission.leaver(for: false, of: Self.count(guests), settings) === guests[1])
        close(guests[1], &admission)
        open(Guest(tcp: false), &admission, &guests)
        #expect(admission.leaver(for: false, of: Self.count(guests), settings) === guests[3])
        close(guests[3], &admission)
        open(Guest(tcp: false), &admission, &guests)
        #expect(admission.leaver(for: false, of: Self.count(guests), settings) == nil, "the rest is known")
    }

    @Test func `of those that linger 256 stay`() {
        var admission = Admission<Guest>()
        let guests = (0..<300).map { _ in Guest(tcp: false) }
        var left: [Guest] = []
        for guest in guests {
            admission.opened(guest)
            guest.isLingering = true
            if let leaver = admission.lingers(guest) {
                left.append(leaver)
                close(leaver, &admission)
            }
        }
        #expect(left.count == 44)
        #expect(zip(left, guests).allSatisfy { $0 === $1 }, "the oldest went")
    }

    @Test func `memory is given back when half of many have gone`() {
        var admission = Admission<Guest>()
        #expect(admission.hasShrunk(to: 99) == false)
        #expect(admission.hasShrunk(to: 50) == false)
        #expect(admission.hasShrunk(to: 49) == true)
        #expect(admission.hasShrunk(to: 30) == false)
    }
}
