// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import MenshenCore
internal import SQLite

/// What the store does when its database comes and goes.
extension StoreWorker: DatabaseOwner {
    package func isExposed(_ place: DatabaseFile.Place, mode: UInt32) {
        log(.directoryExposed(path: place.directory, mode: mode))
    }

    package func open(_ place: DatabaseFile.Place, _ now: UInt64) throws(StoreFault) -> AuditDatabase {
        let opened = try AuditDatabase(place, settings)
        try takeOver(opened)
        return opened
    }

    package func hasOpened(_ database: AuditDatabase, isBack: Bool, _ now: UInt64) {
        if isBack { return }
        log(.opened(path: database.path, applied: database.applied))
        takeover.begin(now)
    }

    package func isInPlace(_ database: AuditDatabase, _ now: UInt64) {
        recent.areSafe()
        if intents.isInPlace { return }
        // The intent log was taken away, or could not be used so far.
        do throws(StoreFault) { try takeOver(database) } catch { keeper.lose(error, now, for: self) }
    }

    package func wasTaken(_ database: AuditDatabase) {
        // Without its log the file still gets all that this connection has; without the file itself, another one does.
        if !database.saveLog() { for end in recent.take() { unwritten.keep(end) } }
        recent.areSafe()
        log(.filesTaken(path: database.path, rewritten: unwritten.ends.count))
        intents.suspend()
    }

    package func hasLost(_ fault: StoreFault, isNews: Bool) {
        intents.suspend()
        takeover.stop()
        status.degraded = fault.reason
        outage.begin(Int64(clamping: settings.wall()), fault.reason)
        if isNews { log(.degraded(path: settings.databasePath, fault: fault, journal: journal.keeping)) }
    }

    func lose(_ error: SQLiteError, _ now: UInt64) {
        keeper.lose(StoreFault(error, path: settings.databasePath), now, for: self)
    }

    /// A question found the database damaged where the store does not write.
    package func lose(_ fault: StoreFault) {
        if keeper.database != nil { keeper.lose(fault, settings.monotonic(), for: self) }
    }

    /// With the first commit after a fault.
    func recover(_ database: AuditDatabase) {
        let missing = unwritten.takeDropped()
        log(.recovered(path: database.path, replayed: unwritten.ends.count, missing: missing))
        outage.end(Int64(clamping: settings.wall()), missing: missing)
        status.hasNoDevice = false
        status.degraded = nil
        status.awaitingDatabase = 0
        intents.resume()
        takeover.begin(settings.monotonic())
    }

    /// What a process that died has left open, in the database or in the intent log.
    private func takeOver(_ opened: AuditDatabase) throws(StoreFault) {
        let all = !hasSettledLost
        try intents.takeOver(log) { found throws(StoreFault) in
            do throws(SQLiteError) {
                let count = try opened.settleLost(found, all: all)
                if count > 0 { log(.lostSettled(path: settings.databasePath, count: count)) }
            } catch {
                throw StoreFault(error, path: opened.path)
            }
        }
        hasSettledLost = true
        if keeper.fault == nil { intents.resume() }
    }
}
