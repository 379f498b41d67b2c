// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
internal import Linux
import MenshenCore
import Synchronization
import TestSupport
import Testing

@testable import MenshenDaemon

/// A search that hangs keeps its own thread and nobody else.
@Suite struct ProjectFinderTests {
    /// Searches that have begun, and a gate that keeps them until it is opened.
    private final class Searches: Sendable {
        let begun = Mutex<[String]>([])
        let arrived = ThreadSignal()
        let gate = ThreadSignal()

        func find(_ directory: String) -> String? {
            begun.withLock { $0.append(directory) }
            arrived.post()
            if directory.hasPrefix("/stuck") { gate.wait(10_000_000) }
            return directory.hasPrefix("/none") ? nil : directory + "/root"
        }
    }

    private let searches = Searches()
    private let finder: ProjectFinder

    init() {
        let searches = searches
        finder = ProjectFinder(home: nil) { directory, _, _ in searches.find(directory) }
    }

    /// Returns once the search in a directory has begun; those before it have ended then.
    private func awaitSearch(in directory: String) {
        for _ in 0..<100 where !searches.begun.withLock({ $0.contains(directory) }) {
            searches.arrived.wait(10_000_000)
        }
    }

    /// Returns once all searches have ended.
    private func awaitAll() {
        _ = finder.project(of: "/last", owner: 1, now: 0)
        awaitSearch(in: "/last")
    }

    @Test func `a project is found once for all who work in one directory, and again after a minute`() throws {
        let first = finder.project(of: "/a", owner: 1, now: 5)
        let second = finder.project(of: "/a", owner: 1, now: 60_000_004)
        let third = finder.project(of: "/a", owner: 1, now: 60_000_005)
        let none = finder.project(of: "/none", owner: 1, now: 0)
        #expect(first === second && first !== third)
        awaitAll()
        #expect(first?.standing == .known && none?.standing == .known)
        #expect(first?.text == "/a/root" && third?.text == "/a/root")
        #expect(none != nil && none?.text == nil)
        let begun = searches.begun.withLock { $0 }
        #expect(begun == ["/a", "/a", "/none", "/last"])
    }

    @Test func `one that hangs holds up nobody who asks, and few wait behind it`() throws {
        let stuck = try #require(finder.project(of: "/stuck", owner: 1, now: 0))
        awaitSearch(in: "/stuck")
        let waiting = (0..<ProjectFinder.maxWaiting).map { finder.project(of: "/\($0)", owner: 1, now: 0) }
        #expect(waiting.allSatisfy { $0 != nil && $0?.text == nil })
        #expect(stuck.standing == .awaited)
        // Nor later, as long as nobody has begun to look.
        for _ in 0..<2 { #expect(finder.project(of: "/more", owner: 1, now: 0) == nil) }
        let begun = searches.begun.withLock { $0 }
        #expect(stuck.text == nil && begun == ["/stuck"])
        searches.gate.post()
        awaitSearch(in: "/\(ProjectFinder.maxWaiting - 1)")
        awaitAll()
        #expect(stuck.text == "/stuck/root")
        #expect(waiting.last??.text == "/\(ProjectFinder.maxWaiting - 1)/root")
    }
}
