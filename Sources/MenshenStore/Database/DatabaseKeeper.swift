// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import MenshenCore

/// An open database in a file of menshen's own.
package protocol KeptDatabase: AnyObject {
    /// False when its file was deleted or replaced under us.
    var isInPlace: Bool { get }
}

/// Whose database a keeper keeps. All calls come out of a call of the keeper's.
package protocol DatabaseOwner: AnyObject {
    associatedtype Database: KeptDatabase

    /// Others may look into the directory; told once.
    func isExposed(_ place: DatabaseFile.Place, mode: UInt32)
    /// Opens it, and takes over what an earlier process has left.
    func open(_ place: DatabaseFile.Place, _ now: UInt64) throws(StoreFault) -> Database
    /// It can be used. `isBack`: it could not before, and counts as recovered with its first commit; see `recovered`.
    func hasOpened(_ database: Database, isBack: Bool, _ now: UInt64)
    /// It was looked at and is in its place. The owner may `lose` it all the same.
    func isInPlace(_ database: Database, _ now: UInt64)
    /// Its file is gone; it is let go after this call, and opened again.
    func wasTaken(_ database: Database)
    /// It can't be used for now. `isNews`: not for the reason that was given last.
    func hasLost(_ fault: StoreFault, isNews: Bool)
}

/// Opens a database, holds its lock, looks once a second whether its file is still there, and tries again after it failed.
/// Belongs to the thread of its owner.
package final class DatabaseKeeper<Owner: DatabaseOwner> {
    private enum State {
        case open(Owner.Database, lookAt: UInt64)
        case away(retryAt: UInt64)
    }

    /// Microseconds between looks.
    private static var lookInterval: UInt64 { 1_000_000 }

    private let path: String
    private let retryInterval: UInt64
    private var state = State.away(retryAt: 0)
    private var lock: DatabaseLock?
    private var hasToldExposure = false
    /// Why it can't be used, or could not before its next commit.
    package private(set) var fault: StoreFault?

    package init(_ path: String, retryInterval: UInt64) {
        self.path = path
        self.retryInterval = retryInterval
    }

    package var database: Owner.Database? {
        if case .open(let database, _) = state { database } else { nil }
    }

    /// When it is tried again; nil while it is open.
    package var retryAt: UInt64? {
        if case .away(let time) = state { time } else { nil }
    }

    /// When its file is looked for; nil while it is not open.
    package var lookAt: UInt64? {
        if case .open(_, let time) = state { time } else { nil }
    }

    /// Whether it may be used now; opens it if it is time for that.
    package func isUsable(_ now: UInt64, for owner: Owner) -> Bool {
        switch state {
        case .open(_, let lookAt):
            if now < lookAt { return true }
            if !isInPlace(now, for: owner) {
                letGo()
                // The lock file may be gone with it.
                lock = nil
                open(now, for: owner)
            }
        case .away(let retryAt): if now >= retryAt { open(now, for: owner) }
        }
        return database != nil
    }

    /// A function of its own, so that nothing holds the database when its files are opened again.
    private func isInPlace(_ now: UInt64, for owner: Owner) -> Bool {
        guard let database else { return true }
        guard database.isInPlace else {
            owner.wasTaken(database)
            return false
        }
        state = .open(database, lookAt: now + Self.lookInterval)
        owner.isInPlace(database, now)
        return true
    }

    package func open(_ now: UInt64, for owner: Owner) {
        do throws(StoreFault) {
            let place = try DatabaseFile.prepare(path)
            if let mode = place.exposedMode, !hasToldExposure {
                hasToldExposure = true
                owner.isExposed(place, mode: mode)
            }
            if lock == nil { lock = try DatabaseLock(place.path) }
            let database = try owner.open(place, now)
            state = .open(database, lookAt: now + Self.lookInterval)
            owner.hasOpened(database, isBack: fault != nil, now)
        } catch {
            lose(error, now, for: owner)
        }
    }

    /// Closes it, so that something may be done to its files; `open` goes on.
    package func letGo() { state = .away(retryAt: 0) }

    /// It failed, and is let go until the next attempt.
    package func lose(_ fault: StoreFault, _ now: UInt64, for owner: Owner) {
        state = .away(retryAt: now + retryInterval)
        let isNews = self.fault != fault
        self.fault = fault
        owner.hasLost(fault, isNews: isNews)
    }

    /// True if it had failed, and this is its first commit since.
    package func recovered() -> Bool {
        defer { fault = nil }
        return fault != nil
    }

    /// The next use tries, however short ago it failed.
    package func retryAtOnce() {
        if case .away = state { state = .away(retryAt: 0) }
    }

    package func close() {
        state = .away(retryAt: .max)
        lock = nil
    }
}
