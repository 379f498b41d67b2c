// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import MenshenCore
import MenshenStore
import Testing

/// A database that may be lost, whatever is in it.
@Suite struct DatabaseKeeperTests {
    private let scratch = Scratch()
    private let owner = Owner()
    private let keeper: DatabaseKeeper<Owner>
    private let second: UInt64 = 1_000_000

    init() { keeper = DatabaseKeeper(scratch("some.db"), retryInterval: 5_000_000) }

    @Test func `it is looked at once a second, and opened again when it was taken`() {
        #expect(keeper.isUsable(0, for: owner) && keeper.retryAt == nil)
        keeper.database?.isThere = false
        #expect(keeper.isUsable(second - 1, for: owner) && owner.words == ["opened"])
        #expect(keeper.isUsable(second, for: owner))
        #expect(owner.words == ["opened", "taken", "opened"], "\(owner.words)")
        #expect(keeper.isUsable(2 * second, for: owner) && owner.words.last == "in place")
    }

    @Test func `after a fault it rests, is tried again, and is told once for each reason`() {
        owner.fault = StoreFault(reason: "full", advice: "")
        keeper.open(0, for: owner)
        #expect(keeper.retryAt == 5 * second && keeper.fault?.reason == "full")
        #expect(!keeper.isUsable(5 * second - 1, for: owner) && owner.words == ["full"])
        #expect(!keeper.isUsable(5 * second, for: owner) && owner.words == ["full", "again"])
        owner.fault = StoreFault(reason: "read-only", advice: "")
        #expect(!keeper.isUsable(10 * second, for: owner))
        owner.fault = nil
        #expect(keeper.isUsable(15 * second, for: owner))
        #expect(owner.words == ["full", "again", "read-only", "back"])
        // It counts as recovered with its first commit.
        #expect(keeper.fault != nil && keeper.recovered() && !keeper.recovered() && keeper.fault == nil)
    }

    @Test func `a statement that fails lets it go, and its owner may try at once`() {
        keeper.open(0, for: owner)
        keeper.lose(StoreFault(reason: "damaged", advice: ""), 0, for: owner)
        #expect(keeper.database == nil && !keeper.isUsable(1, for: owner))
        keeper.retryAtOnce()
        #expect(keeper.isUsable(1, for: owner) && owner.words == ["opened", "damaged", "back"])
    }

    @Test func `an owner that finds something missing beside it may lose it at the look`() {
        keeper.open(0, for: owner)
        owner.losesAtLook = keeper
        #expect(!keeper.isUsable(second, for: owner))
        #expect(owner.words == ["opened", "in place", "beside"])
    }

    @Test func `its lock is another process's only after it is closed`() {
        keeper.open(0, for: owner)
        let other = DatabaseKeeper<Owner>(scratch("some.db"), retryInterval: 0)
        #expect(!other.isUsable(0, for: owner))
        #expect(owner.words.last?.contains("another menshen") == true, "\(owner.words)")
        keeper.close()
        #expect(other.isUsable(0, for: owner) && !keeper.isUsable(second, for: owner))
    }

    @Test func `a directory that lets others look in is told once`() {
        chmod(scratch.path, 0o755)
        keeper.open(0, for: owner)
        keeper.letGo()
        #expect(keeper.isUsable(0, for: owner) && owner.words == ["exposed 755", "opened", "opened"])
    }
}

private final class Owner: DatabaseOwner {
    final class Database: KeptDatabase {
        var isThere = true
        var isInPlace: Bool { isThere }
    }

    var fault: StoreFault?
    var losesAtLook: DatabaseKeeper<Owner>?
    var words: [String] = []

    func isExposed(_: DatabaseFile.Place, mode: UInt32) { words.append("exposed " + String(mode, radix: 8)) }

    func open(_: DatabaseFile.Place, _: UInt64) throws(StoreFault) -> Database {
        if let fault { throw fault }
        return Database()
    }

    func hasOpened(_: Database, isBack: Bool, _: UInt64) { words.append(isBack ? "back" : "opened") }

    func isInPlace(_: Database, _ now: UInt64) {
        words.append("in place")
        losesAtLook?.lose(StoreFault(reason: "beside", advice: ""), now, for: self)
    }

    func wasTaken(_: Database) { words.append("taken") }
    func hasLost(_ fault: StoreFault, isNews: Bool) { words.append(isNews ? fault.reason : "again") }
}
