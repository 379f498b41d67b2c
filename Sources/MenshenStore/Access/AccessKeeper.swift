// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Crypto
internal import MenshenCore
internal import SQLite

/// All that is kept of the tokens that are given out: their file, and what it said last. Not Sendable; one thread at a time.
final class AccessKeeper {
    private let settings: AccessSettings
    private let log: @Sendable (AccessEvent) -> Void
    private let keeper: DatabaseKeeper<AccessKeeper>
    /// Stays in force when the file is lost: what was read from it was so.
    private(set) var tokens = IssuedTokens.none

    /// A file that is not there is made by the first act.
    init(_ settings: AccessSettings, log: @escaping @Sendable (AccessEvent) -> Void) {
        self.settings = settings
        self.log = log
        keeper = DatabaseKeeper(settings.path, retryInterval: settings.retryInterval)
        lookAgain()
    }

    /// Reads a file that could not be read before.
    func lookAgain() {
        guard keeper.database == nil, FileIdentity(settings.path).wasThere else { return }
        keeper.retryAtOnce()
        _ = keeper.isUsable(settings.monotonic(), for: self)
    }

    func list() throws(Problem) -> [GivenToken] {
        if keeper.database == nil, !FileIdentity(settings.path).wasThere { return [] }
        return try using { database throws(SQLiteError) in try database.tokens() }
    }

    /// Does it, and has it recorded with it; or has recorded that it was not done.
    func perform(_ act: TokenAct, by who: Administrator) throws(Problem) -> TokenOutcome {
        let done = AdministrativeAct(who, "token \(act.verb)", act.name)
        do throws(Problem) {
            // Read back within the transaction: what is committed is in force, and nothing else is.
            let (outcome, issued) = try using { database throws(SQLiteError) in
                try database.connection.transaction { () throws(SQLiteError) in
                    let outcome = try self.change(act, by: who, in: database)
                    guard case .success = outcome else { return (outcome, IssuedTokens?.none) }
                    try database.note(done, at: self.now)
                    return (outcome, try database.issued())
                }
            }
            let changed = try outcome.get()
            if let issued { take(issued) }
            log(.acted(done))
            return changed
        } catch {
            note(AdministrativeAct(who, "token \(act.verb)", act.name, outcome: "refused: \(error.message)"))
            throw error
        }
    }

    /// Another act that was done. The file is made for it, if need be.
    func record(_ act: AdministrativeAct) throws(Problem) {
        defer { log(.acted(act)) }
        try using { database throws(SQLiteError) in try database.note(act, at: self.now) }
    }

    /// In the table as far as that can be written, and in the journal.
    func note(_ act: AdministrativeAct) {
        if let database = keeper.database {
            do throws(SQLiteError) { try database.note(act, at: now) } catch { lose(error) }
        }
        log(.acted(act))
    }

    func close() { keeper.close() }

    private var now: Int64 { settings.wallSeconds() }

    private func change(
        _ act: TokenAct, by who: Administrator, in database: AccessDatabase
    ) throws(SQLiteError) -> Result<TokenOutcome, Problem> {
        let known = try database.token(act.name)
        if case .create(let name, let terms) = act {
            if known != nil {
                return .failure(
                    .token(
                        "There is a token '\(name)' already. Choose another name, change it by 'menshen token edit', or revoke it first.",
                        status: 409))
            }
            let secret = makeSecret()
            try database.insert(name, terms, secret.digest, by: who, at: now)
            return .success(TokenOutcome(token: try database.token(name), secret: secret))
        }
        guard let known else {
            return .failure(.token("There is no token '\(act.name)' in use. See 'menshen token list'.", status: 404))
        }
        switch act {
        case .create: break
        case .edit(_, let members):
            var terms = known.terms
            do throws(Problem) {
                for member in members { try terms.set(member.name, member.value, now: now) }
            } catch {
                return .failure(error)
            }
            try database.update(known.id, terms)
        case .revoke(_, let cuts):
            try database.revoke(known.id, at: now)
            return .success(TokenOutcome(token: known, cut: cuts ? Set(try database.digests(known.id)) : []))
        case .rotate(_, let grace):
            let secret = makeSecret()
            try database.replace(known.id, secret.digest, until: now + grace)
            return .success(TokenOutcome(token: try database.token(act.name), secret: secret))
        }
        return .success(TokenOutcome(token: try database.token(act.name)))
    }

    /// By the kernel's generator.
    private func makeSecret() -> Secret {
        var generator = SystemRandomNumberGenerator()
        return Secret(TokenForm.make(using: &generator))
    }

    // MARK: The file

    private func using<Result>(
        _ body: (AccessDatabase) throws(SQLiteError) -> Result
    ) throws(Problem) -> Result {
        // What is written into a file that is gone would be gone too.
        if let database = keeper.database, !database.isInPlace {
            wasTaken(database)
            keeper.close()
        }
        keeper.retryAtOnce()
        guard keeper.isUsable(settings.monotonic(), for: self), let database = keeper.database else {
            throw unavailable
        }
        do throws(SQLiteError) {
            return try body(database)
        } catch {
            lose(error)
            throw unavailable
        }
    }

    private func read() throws(Problem) {
        take(try using { database throws(SQLiteError) in try database.issued() })
    }

    private func take(_ issued: IssuedTokens) {
        tokens = issued
        _ = keeper.recovered()
        // Rare enough that each is copied at once: the file alone is a copy to keep.
        if let database = keeper.database { _ = try? database.connection.checkpoint() }
    }

    private var unavailable: Problem {
        let fault = keeper.fault ?? StoreFault(reason: "it can't be opened", advice: "")
        return Problem(
            .tokensUnavailable, status: 503, "\(settings.path) can't be used: \(fault.reason). \(fault.advice)")
    }

    private func lose(_ error: SQLiteError) {
        keeper.lose(AccessDatabase.fault(error, settings.path), settings.monotonic(), for: self)
    }
}

extension AccessKeeper: DatabaseOwner {
    /// Said of the same directory by the store of records.
    func isExposed(_ place: DatabaseFile.Place, mode: UInt32) {}

    func open(_ place: DatabaseFile.Place, _ now: UInt64) throws(StoreFault) -> AccessDatabase {
        let database = try AccessDatabase(place)
        do throws(SQLiteError) { tokens = try database.issued() } catch {
            throw AccessDatabase.fault(error, place.path)
        }
        return database
    }

    func hasOpened(_ database: AccessDatabase, isBack: Bool, _ now: UInt64) {
        if isBack, keeper.recovered() { log(.recovered(path: settings.path, tokens: tokens.names.count)) }
    }

    func isInPlace(_ database: AccessDatabase, _ now: UInt64) {}

    func wasTaken(_ database: AccessDatabase) {
        tokens = .none
        log(.taken(path: settings.path))
    }

    func hasLost(_ fault: StoreFault, isNews: Bool) {
        // Nothing was ever read: then nobody can say what a token may do.
        if tokens === IssuedTokens.none || tokens.fault != nil { tokens = IssuedTokens([], fault: fault.reason) }
        if isNews { log(.unavailable(path: settings.path, fault: fault)) }
    }
}
