// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import MenshenCore
import SQLite
import Synchronization
import TestSupport
import Testing

@testable import MenshenStore

/// The file of the tokens, on a real disk, by a clock that the test turns.
struct AccessStoreTests {
    private let scratch = Scratch()
    private let said = Collected()
    private let clock = Clock()

    private final class Clock: Sendable {
        private let value = Mutex<Int64>(1_800_000_000)
        var now: Int64 { value.withLock { $0 } }
        func turn(_ seconds: Int64) { value.withLock { $0 += seconds } }
    }

    private var path: String { scratch("access.db") }

    /// What is asked is done at once, on the test's thread.
    private func open() -> AccessStore {
        var settings = AccessSettings(path: path)
        settings.wallSeconds = { [clock] in clock.now }
        return AccessStore(settings) { [said] in
            said.add([$0.event.message])
        } run: {
            $0()
            return true
        }
    }

    private static let who = Administrator(uid: 1000, pid: 42)

    private func perform(_ act: TokenAct, in store: AccessStore) throws -> TokenOutcome {
        let answer = Mutex<Result<TokenOutcome, Problem>?>(nil)
        store.perform(act, by: Self.who) { result in answer.withLock { $0 = result } }
        return try #require(answer.withLock { $0 }).get()
    }

    private func list(_ store: AccessStore) throws -> [GivenToken] {
        let answer = Mutex<Result<[GivenToken], Problem>?>(nil)
        store.list { result in answer.withLock { $0 = result } }
        return try #require(answer.withLock { $0 }).get()
    }

    private func create(_ name: String, _ change: (inout TokenTerms) -> Void = { _ in }, in store: AccessStore) throws
        -> Secret
    {
        var terms = TokenTerms()
        change(&terms)
        return try #require(try perform(.create(name: name, terms), in: store).secret)
    }

    private func judge(_ secret: Secret, _ store: AccessStore) -> String {
        let gate = TokenGate(tokens: [], issued: store.tokens, wallSeconds: { [clock] in clock.now })
        return gate.valid([secret.digest])?.name ?? "-"
    }

    @Test func `what was said to be done is there after a kill`() throws {
        let store = open()
        let secret = try create(
            "ci",
            {
                $0.models = ["gpt-*"]; $0.limits = ["5usd/day"]; $0.concurrency = 3
            }, in: store)
        #expect(judge(secret, store) == "ci")
        // The first store is still open, as a process that was killed has left it; a lock goes with the process.
        let copy = scratch("copy")
        #expect(mkdir(copy, 0o700) == 0)
        for name in ["access.db", "access.db-wal"] {
            let bytes = try Array(#require(TemporaryDirectory.bytes(scratch(name))))
            let file = Glibc.open(copy + "/" + name, O_WRONLY | O_CREAT, 0o600)
            #expect(write(file, bytes, bytes.count) == bytes.count)
            close(file)
        }
        let after = AccessStore(AccessSettings(path: copy + "/access.db")) { _ in
        } run: {
            $0(); return true
        }
        let token = try #require(TokenGate(tokens: [], issued: after.tokens, wallSeconds: { 0 }).valid([secret.digest]))
        #expect(token.name == "ci" && token.scope.models == [ModelPattern("gpt-*")] && token.concurrency == 3)
        #expect(token.limits == [Limit(.money, 5_000_000_000_000, per: .day)])
        #expect(try list(after).map(\.createdBy) == ["uid 1000"])
    }

    @Test func `the token itself stands nowhere, and the file is private`() throws {
        let store = open()
        let secret = try create("ci", in: store)
        var text: [UInt8] = []
        secret.append(to: &text)
        let secrets = SecretSet([secret, Secret(Array(text[4..<20]))])
        for name in Scratch.names(in: scratch.path) {
            let bytes = TemporaryDirectory.bytes(scratch(name)) ?? []
            let occurs = secrets.occurs(in: bytes.span)
            #expect(!occurs, "\(name)")
            #expect(TemporaryDirectory.mode(scratch(name)).map { $0 & 0o077 } == 0, "\(name)")
        }
        #expect(said.all.allSatisfy { !secrets.occurs(in: $0.utf8.span) })
        let connection = try Connection(path: path, .readOnly, busyMilliseconds: 0)
        #expect(try connection.integer("PRAGMA application_id") == AccessDatabase.applicationID)
    }

    @Test func `another act is recorded, in a file that is made for it if need be`() throws {
        let store = open()
        let answer = Mutex<Result<[GivenToken], Problem>?>(nil)
        store.record(KeyAct(.set, "openai").act(by: Self.who)) { result in answer.withLock { $0 = result } }
        #expect(try #require(answer.withLock { $0 }).get().isEmpty)
        let connection = try Connection(path: path, .readOnly, busyMilliseconds: 0)
        #expect(
            try connection.text(
                "SELECT at || ' ' || uid || ' ' || pid || ' ' || act || ' ' || target || ' ' || outcome FROM admin")
                == "1800000000 1000 42 key set openai done")
        #expect(said.all == ["key set 'openai' by uid 1000 (process 42): done"])
        #expect(try AccessStore.tokens(in: path).isEmpty && store.tokens.names.isEmpty)
    }

    @Test func `a command reads what a running menshen has given out`() throws {
        #expect(try AccessStore.tokens(in: path).isEmpty)
        let store = open()
        _ = try create("ci", { $0.models = ["gpt-*"] }, in: store)
        let read = try AccessStore.tokens(in: path)
        #expect(try read == list(store) && read.map(\.terms.models) == [["gpt-*"]])
        let other = scratch("other.db")
        let file = Glibc.open(other, O_WRONLY | O_CREAT, 0o600)
        #expect(write(file, "no database at all, but a text that is long enough", 50) == 50)
        close(file)
        #expect(throws: StoreFault.self) { try AccessStore.tokens(in: other) }
    }

    @Test func `a commit waits for the disk`() throws {
        let place = try DatabaseFile.prepare(path)
        let database = try AccessDatabase(place)
        #expect(try database.connection.integer("PRAGMA synchronous") == 2)
    }

    @Test func `a revoked name may be given out again, and the old one stays`() throws {
        let store = open()
        let old = try create("ci", in: store)
        let taken = #expect(throws: Problem.self) { try create("ci", in: store) }
        #expect(taken?.status == 409 && taken?.message.contains("already") == true)
        let cut = try perform(.revoke(name: "ci", cuts: true), in: store).cut
        #expect(cut == [old.digest] && judge(old, store) == "-")
        #expect(throws: Problem.self) { try perform(.revoke(name: "ci", cuts: false), in: store) }
        let new = try create("ci", in: store)
        #expect(judge(new, store) == "ci" && judge(old, store) == "-")
        #expect(try list(store).map { "\($0.name) \($0.state(now: clock.now))" } == ["ci valid", "ci revoked"])
    }

    @Test func `a token that takes another's place has a time of grace`() throws {
        let store = open()
        let old = try create("ci", { $0.models = ["m"] }, in: store)
        let new = try #require(try perform(.rotate(name: "ci", grace: 3600), in: store).secret)
        #expect(judge(old, store) == "ci" && judge(new, store) == "ci")
        let newer = try #require(try perform(.rotate(name: "ci", grace: 60), in: store).secret)
        #expect(judge(new, store) == "ci")
        clock.turn(60)
        #expect(judge(new, store) == "-" && judge(old, store) == "-", "the first grace ends no later than the second")
        #expect(judge(newer, store) == "ci")
        #expect(try list(store).first?.terms.models == ["m"])
        let last = try #require(try perform(.rotate(name: "ci", grace: 0), in: store).secret)
        #expect(judge(newer, store) == "-" && judge(last, store) == "ci")
        #expect(try perform(.revoke(name: "ci", cuts: true), in: store).cut.count == 4)
    }

    @Test func `a token expires by the clock, and may be made to last longer`() throws {
        let store = open()
        let secret = try create("ci", { $0.expires = 1_800_000_060 }, in: store)
        #expect(judge(secret, store) == "ci")
        clock.turn(60)
        #expect(judge(secret, store) == "-")
        _ = try perform(.edit(name: "ci", [("expires", .text("1h"))]), in: store)
        #expect(judge(secret, store) == "ci")
        let wrong = #expect(throws: Problem.self) {
            try perform(.edit(name: "ci", [("models", .list(["a"])), ("limits", .list(["x"]))]), in: store)
        }
        #expect(wrong?.status == 400)
        #expect(try list(store).first?.terms.models == [], "half of an edit is none")
    }

    @Test func `each act is recorded with who did it, also one that was refused`() throws {
        let store = open()
        _ = try create("ci", in: store)
        #expect(throws: Problem.self) { try create("ci", in: store) }
        store.record(AdministrativeAct(Self.who, "key set", "openai")) { _ in }
        let rows = try Connection(path: path, .readOnly, busyMilliseconds: 0)
            .prepare("SELECT at, uid, pid, act, target, outcome FROM admin ORDER BY id")
        var acts: [String] = []
        while try rows.step() {
            #expect(rows.integer(0) == 1_800_000_000 && rows.integer(1) == 1000 && rows.integer(2) == 42)
            acts.append("\(rows.text(3) ?? "") \(rows.text(4) ?? ""): \((rows.text(5) ?? "").prefix(8))")
        }
        #expect(acts == ["token create ci: done", "token create ci: refused:", "key set openai: done"])
        #expect(said.all.count == 3 && said.all[0] == "token create 'ci' by uid 1000 (process 42): done")
    }

    @Test func `a file that cannot be read is left alone, and its tokens are refused until it can`() throws {
        let secret: Secret
        do { secret = try create("ci", in: open()) }
        let good = try #require(TemporaryDirectory.bytes(path))
        let bad = Array("This is not a database, but somebody's notes, and long enough to look at.\n".utf8)
        try overwrite(bad)
        let store = open()
        #expect(store.tokens.fault?.contains("damaged") == true)
        #expect(said.all.last?.contains("Those who show one are refused; everything else goes on") == true)
        #expect(judge(secret, store) == "-")
        let refused = #expect(throws: Problem.self) { try create("other", in: store) }
        #expect(refused?.status == 503 && refused?.message.contains("Put a copy of it back") == true)
        #expect(TemporaryDirectory.bytes(path) == bad)
        try overwrite(good)
        store.lookAgain {}
        #expect(store.tokens.fault == nil && judge(secret, store) == "ci")
        #expect(said.all.last?.contains("can be used: 1 token.") == true)
    }

    private func overwrite(_ bytes: [UInt8]) throws {
        for suffix in ["-wal", "-shm"] { unlink(path + suffix) }
        let file = Glibc.open(path, O_WRONLY | O_TRUNC)
        try #require(file >= 0)
        defer { close(file) }
        #expect(write(file, bytes, bytes.count) == bytes.count)
    }

    @Test func `another program's file, a newer menshen's and one in use are refused with what they are`() throws {
        do {
            let other = try Connection(path: path, .readWrite, busyMilliseconds: 0)
            try other.execute("CREATE TABLE notes (text)")
        }
        #expect(open().tokens.fault?.contains("another program") == true)
        unlink(path)
        do {
            let store = open()
            _ = try create("ci", in: store)
            #expect(open().tokens.fault?.contains("another menshen") == true)
        }
        do {
            let newer = try Connection(path: path, .readWrite, busyMilliseconds: 0)
            try newer.execute("INSERT INTO migrations (step) VALUES ('9 of tomorrow')")
        }
        #expect(open().tokens.fault?.contains("9 of tomorrow") == true)
    }

    @Test func `a file that is not there is made by the first act alone`() throws {
        let store = open()
        #expect(try list(store) == [] && store.tokens.fault == nil)
        store.lookAgain {}
        #expect(Scratch.names(in: scratch.path) == [])
        _ = try create("ci", in: store)
        #expect(AccessStore.holdsToken(path))
        _ = try perform(.revoke(name: "ci", cuts: false), in: store)
        #expect(!AccessStore.holdsToken(path) && !AccessStore.holdsToken(scratch("none.db")))
        #expect(AccessStore.path(besides: "/a/b/menshen.db") == "/a/b/access.db")
    }

    @Test func `a file that is deleted or replaced is not written to, and what stands there counts`() throws {
        let store = open()
        let secret = try create("ci", in: store)
        let copy = try #require(TemporaryDirectory.bytes(path))
        for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
        let other = try create("other", in: store)
        #expect(judge(secret, store) == "-" && judge(other, store) == "other")
        #expect(said.all.contains { $0.contains("was deleted or replaced while menshen ran") })
        #expect(AccessStore.holdsToken(path))
        for suffix in ["", "-wal", "-shm"] { unlink(path + suffix) }
        let file = Glibc.open(path, O_WRONLY | O_CREAT, 0o600)
        #expect(write(file, copy, copy.count) == copy.count)
        close(file)
        #expect(try list(store).map(\.name) == ["ci"])
        #expect(judge(secret, store) == "ci" && judge(other, store) == "-")
    }

    @Test func `a scope that is not understood allows nothing`() throws {
        let secret: Secret
        do { secret = try create("ci", in: open()) }
        try Connection(path: path, .readWrite, busyMilliseconds: 0)
            .execute("UPDATE tokens SET operations = '[\"telepathy\"]'")
        let store = open()
        #expect(judge(secret, store) == "-")
        #expect(try list(store).first?.state(now: clock.now) == "unreadable")
        try Connection(path: path, .readWrite, busyMilliseconds: 0).execute("UPDATE tokens SET operations = 'x'")
        #expect(judge(secret, open()) == "-")
    }
}
