// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// The store's end of the intent log: when workers may rely on it, and which of their slots are free again. Belongs to the
/// store's thread.
struct IntentKeeper {
    private let log: IntentLog
    /// Noted intents whose slots are not free yet, by lane.
    private var unreleased: [(lane: IntentLane, count: Int)] = []
    private var hasToldFault = false

    init(_ log: IntentLog) { self.log = log }

    var isInPlace: Bool { log.isInPlace }

    /// Intents wait for their records again.
    func suspend() { log.trust(false) }

    func resume() { log.trust(log.isInPlace) }

    /// Has `write` put into the database what a process that died has left, and begins the log anew. Without a log intents wait
    /// for the database, which is worth a word and no reason to refuse anything.
    mutating func takeOver(
        _ tell: (StoreEvent) -> Void, _ write: ([AuditIntent]) throws(StoreFault) -> Void
    ) throws(StoreFault) {
        suspend()
        var found: IntentLog.Leftovers?
        var fault: StoreFault?
        do throws(StoreFault) { found = try log.recover() } catch { fault = error }
        if let aside = found?.setAside { tell(.intentLogSetAside(path: log.path, aside: aside)) }
        try write(found?.intents ?? [])
        if found != nil { do throws(StoreFault) { try log.start() } catch { fault = error } }
        guard let fault, !hasToldFault else { return }
        hasToldFault = true
        tell(.intentLogUnusable(path: log.path, fault: fault))
    }

    /// A noted intent has been taken from the queue.
    mutating func took(_ lane: IntentLane) {
        if let place = unreleased.firstIndex(where: { $0.lane === lane }) {
            unreleased[place].count += 1
        } else {
            unreleased.append((lane, 1))
        }
    }

    /// All that was taken has a record elsewhere.
    mutating func release() {
        for index in unreleased.indices where unreleased[index].count > 0 {
            log.release(unreleased[index].lane, unreleased[index].count)
            unreleased[index].count = 0
        }
    }

    /// All that the log holds has a record elsewhere, and no more comes.
    func remove() { log.remove() }
}
