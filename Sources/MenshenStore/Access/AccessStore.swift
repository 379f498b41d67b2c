// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import Crypto
internal import Linux
package import MenshenCore
internal import Synchronization

/// The tokens that `menshen token` gives out. Any thread reads which count; they are changed one after another on a thread of the
/// store's that keeps no record waiting.
package final class AccessStore: Sendable {
    /// Never contended: after `init` only that one thread takes it.
    private let keeper: Mutex<AccessKeeper>
    private let latest: Mutex<IssuedTokens>
    private let run: @Sendable (@escaping @Sendable () -> Void) -> Bool

    /// Reads the file on the calling thread. One that can't be used is no failure: its tokens are refused, and `log` says so.
    /// `run` has something done later, one after another; false: it won't be.
    package init(
        _ settings: AccessSettings, log: @escaping @Sendable (AccessEvent) -> Void,
        run: @escaping @Sendable (@escaping @Sendable () -> Void) -> Bool
    ) {
        let keeper = AccessKeeper(settings, log: log)
        latest = Mutex(keeper.tokens)
        self.keeper = Mutex(keeper)
        self.run = run
    }

    /// Beside the database of records.
    package static func path(besides database: String) -> String {
        let slash = database.utf8.lastIndex(of: UInt8(ascii: "/"))
        return (slash.map { String(database[...$0]) } ?? "") + "access.db"
    }

    /// Whether a token counts in that file, of whichever menshen; false if it can't be read.
    package static func holdsToken(_ path: String) -> Bool { AccessDatabase.holdsToken(path) }

    /// All tokens in that file, newest first, of whichever menshen.
    package static func tokens(in path: String) throws(StoreFault) -> [GivenToken] {
        try AccessDatabase.tokens(in: path)
    }

    /// As of the last change.
    package var tokens: IssuedTokens { latest.withLock { $0 } }

    /// Does it and then calls `reply`, on the thread that did it. What was done is on the disk then, and in `tokens`.
    package func perform(
        _ act: TokenAct, by who: Administrator, reply: @escaping @Sendable (Result<TokenOutcome, Problem>) -> Void
    ) {
        ask(reply) { keeper throws(Problem) in try keeper.perform(act, by: who) }
    }

    /// Newest first, with those that were revoked.
    package func list(reply: @escaping @Sendable (Result<[GivenToken], Problem>) -> Void) {
        ask(reply) { keeper throws(Problem) in try keeper.list() }
    }

    /// Records another act of an administrator's, in the table and in the journal, before `reply` is called.
    package func record(
        _ act: AdministrativeAct, reply: @escaping @Sendable (Result<[GivenToken], Problem>) -> Void
    ) {
        ask(reply) { keeper throws(Problem) in
            try keeper.record(act)
            return []
        }
    }

    /// Reads the file again if it could not be read so far.
    package func lookAgain(reply: @escaping @Sendable () -> Void) {
        _ = run { [self] in
            publish { $0.lookAgain() }
            reply()
        }
    }

    package func close() { keeper.withLock { $0.close() } }

    private func ask<Answer: Sendable>(
        _ reply: @escaping @Sendable (Result<Answer, Problem>) -> Void,
        _ body: @escaping @Sendable (AccessKeeper) throws(Problem) -> Answer
    ) {
        let isTaken = run { [self] in
            reply(publish { keeper in Result { () throws(Problem) in try body(keeper) } })
        }
        if !isTaken { reply(.failure(Problem(.stopping, status: 503, "menshen is stopping."))) }
    }

    /// Whatever the file says after `body` counts before anybody hears of it.
    private func publish<Answer: Sendable>(_ body: (AccessKeeper) -> Answer) -> Answer {
        let (answer, tokens) = keeper.withLock { (body($0), $0.tokens) }
        latest.withLock { $0 = tokens }
        return answer
    }
}

/// What came of an act.
package struct TokenOutcome: Sendable {
    /// As it is now; one that was revoked as it was.
    package var token: GivenToken?
    /// Where all were asked for.
    package var all: [GivenToken] = []
    /// To be shown once.
    package var secret: Secret?
    /// What is under way with one of these ends now.
    package var cut: Set<Digest> = []

    package init(
        token: GivenToken? = nil, all: [GivenToken] = [], secret: Secret? = nil, cut: Set<Digest> = []
    ) {
        self.token = token
        self.all = all
        self.secret = secret
        self.cut = cut
    }
}

/// What the store of tokens needs to know. Times are microseconds unless the name says otherwise.
package struct AccessSettings: Sendable {
    package var path: String
    package var retryInterval: UInt64 = 1_000_000
    package var monotonic: @Sendable () -> UInt64 = { Clock.monotonic() }
    package var wallSeconds: @Sendable () -> Int64 = { Int64(Clock.wall() / 1_000_000) }

    package init(path: String) { self.path = path }
}
