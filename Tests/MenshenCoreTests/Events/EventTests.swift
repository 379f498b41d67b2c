// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Testing

@testable import MenshenCore

/// Each event once, as the daemon makes them.
@Suite struct EventTests {
    private static let fault = StoreFault(reason: "REASON", advice: "Do it.")

    private static let life: [Event] = [
        .started(version: "VERSION", configuration: "FILE", listeners: ["A", "B"], database: "DATABASE"),
        .stopping(inFlight: 2, seconds: 30), .stopped("idle"), .reloaded("FILE"), .reloadFailed("FAULT", "FILE"),
        .configurationBroken("FAULT", "FILE"), .listenFailed("L", "REASON"), .tcpRefused("REASON"),
        .acceptFailed("L", "REASON"), .tooManyConnections(7, isOfDescriptors: true),
        .tooManyConnections(7, isOfDescriptors: false), .authenticationDisabled("L"),
        .peerRefused(uid: 1000, pid: 42, "L"), .keyUnavailable("P", "REASON"),
        .keyStale("P", "REASON", seconds: 60), .providerPaused("P", "REASON", seconds: 8),
    ]

    private static let records: [StoreEvent] = [
        .opened(path: "P", applied: ["1"]), .directoryExposed(path: "P", mode: 0o755),
        .lostSettled(path: "P", count: 1), .intentLogUnusable(path: "P", fault: fault),
        .intentLogSetAside(path: "P", aside: "Q"),
        .degraded(path: "P", fault: fault, journal: .persistent), .recovered(path: "P", replayed: 2, missing: 3),
        .filesTaken(path: "P", rewritten: 4), .clockDoubted(days: 5), .expired(count: 6, days: 7),
        .takenOver(count: 8), .notReadBack(missing: 9, reason: "REASON"), .noDevice,
    ]

    private static let cache: [CacheEvent] = [
        .opened(path: "P", entries: 1), .directoryExposed(path: "P", mode: 0o755),
        .unavailable(path: "P", reason: "REASON"), .renewed(path: "P", reason: "REASON"),
    ]

    private static let access: [AccessEvent] = [
        .unavailable(path: "P", fault: fault), .recovered(path: "P", tokens: 1), .taken(path: "P"),
        .acted(AdministrativeAct(Administrator(uid: 1000, pid: 42), "token create", "ci")),
    ]

    private static let limits: [Event] = [
        .limitPassed(
            LimitNotice(
                key: PotKey(Holder(.caller, "R"), Limit(.money, 1, per: .ever)), limit: Limit(.money, 1, per: .ever),
                percent: 80, spent: 1, resetsAt: nil), resetsAt: "never"),
        .notifyFailed("REASON"),
    ]

    private static let telemetry: [Event] = [.telemetryLost(3, "REASON"), .telemetryDropped(4)]

    private static let all =
        life + records.map(\.event) + cache.map(\.event) + access.map(\.event) + limits + telemetry

    @Test func `an event carries the fields of its kind, and each says something`() {
        for event in Self.all {
            #expect(event.fields.map(\.0) == event.kind.fields)
            #expect(event.fields.allSatisfy { !$0.1.isEmpty }, "\(event.message)")
        }
    }

    @Test func `every kind has an event, but for those of single requests`() {
        let ofRequests: [EventKind] = [.request, .requestRefused, .requestBegun, .refusalsSummarised, .notJournalled]
        #expect(Set(Self.all.map(\.kind)) == Set(EventKind.all).subtracting(ofRequests))
    }

    @Test func `what a field says stands in the message too, where a person would miss it`() throws {
        let stopping = Event.stopping(inFlight: 2, seconds: 30)
        #expect(stopping.message == "Stopping; 2 connections have 30 s to finish.")
        #expect(stopping.fields.map { "\($0.0)=\($0.1)" } == ["MENSHEN_IN_FLIGHT=2", "MENSHEN_DRAIN_SECONDS=30"])
        let refused = Event.peerRefused(uid: 1000, pid: 42, "unix:/s")
        #expect(
            refused.fields.map(\.1) == ["1000", "42", "unix:/s"]
                && refused.message.contains("uid 1000 (pid 42) on unix:/s"))
        let degraded = StoreEvent.degraded(path: "/a.db", fault: Self.fault, journal: .absent).event
        #expect(degraded.kind.priority == 3 && degraded.fields.map(\.1) == ["/a.db", "REASON"])
        #expect(degraded.message.contains("refused with 503. Do it."))
    }

    @Test func `only what a stranger can cause at will is limited`() {
        let limited = Self.all.filter(\.isLimited).map(\.message)
        #expect(limited.count == 8, "\(limited)")
        #expect(!Event.listenFailed("L", "REASON").isLimited && Event.acceptFailed("L", "REASON").isLimited)
    }
}
