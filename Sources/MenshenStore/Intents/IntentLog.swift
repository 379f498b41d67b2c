// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc
package import MenshenCore
internal import Synchronization

/// The file beside the database, `FILE-intents`, that makes an intent safe from the death of the process for the price of
/// one write into the page cache, so that no answer waits for SQLite. Each worker writes into a lane of its own; what a
/// slot holds is free again once the database, or the journal, has it. A start puts what it finds into the database.
///
/// It is in use only while the database is: else an intent waits for the journal's word, as it does when it is too long
/// for a slot or no slot is free.
final class IntentLog: Sendable {
    /// The version that is written.
    typealias Current = IntentCoding2

    /// Workers write to it.
    private let descriptor = Atomic<Int32>(-1)
    /// The one before, which a worker may have been about to write to. The store's thread closes it with the next change.
    private let retired = Atomic<Int32>(-1)
    private let isTrusted = Atomic<Bool>(false)
    /// `start` has succeeded: what the file holds is this process's. Of the store's thread.
    private let isStarted = Atomic<Bool>(false)
    private let lanes = Mutex<[IntentLane]>([])
    private let codings: [any IntentCoding]
    let path: String

    init(_ settings: StoreSettings) {
        path = settings.databasePath + "-intents"
        codings = settings.intentCodings
    }

    deinit {
        for open in [descriptor.load(ordering: .relaxed), retired.load(ordering: .relaxed)] where open >= 0 {
            close(open)
        }
    }

    // MARK: Any thread

    /// A lane for one more thread; nil if there are too many.
    func makeLane() -> IntentLane? {
        lanes.withLock { lanes in
            guard lanes.count < IntentSlots.maximumLanes else { return nil }
            let lane = IntentLane(log: self, index: lanes.count)
            lanes.append(lane)
            return lane
        }
    }

    /// True if the slot's content would survive the process.
    fileprivate func write(_ bytes: UnsafeRawBufferPointer, at place: Int) -> Bool {
        guard isTrusted.load(ordering: .acquiring) else { return false }
        return pwrite(descriptor.load(ordering: .relaxed), bytes.baseAddress, bytes.count, off_t(place)) == bytes.count
    }

    // MARK: The store's thread

    /// Whether intents may rely on it: only while the database takes records.
    func trust(_ isUsable: Bool) {
        isTrusted.store(isUsable && isStarted.load(ordering: .relaxed), ordering: .releasing)
    }

    /// What the file held of a process that died.
    struct Leftovers {
        /// Oldest first.
        var intents: [AuditIntent] = []
        /// Where a file of an unknown version is now.
        var setAside: String?
    }

    /// nil if the file is in use here already. The caller has the database's lock, so nobody else writes here. `start` must
    /// follow once that is safe elsewhere; until then the next call finds the same.
    func recover() throws(StoreFault) -> Leftovers? {
        if isInPlace { return nil }
        isStarted.store(false, ordering: .relaxed)
        var opened = try open()
        var found = Leftovers()
        do throws(StoreFault) {
            if let intents = try leftovers(opened) {
                found.intents = intents
            } else {
                found.setAside = try setAside()
                close(opened)
                opened = -1
                opened = try open()
            }
        } catch {
            close(opened)
            throw error
        }
        // Workers see it from here on, but write to it only when it is trusted.
        let before = retired.exchange(descriptor.exchange(opened, ordering: .acquiringAndReleasing), ordering: .relaxed)
        if before >= 0 { close(before) }
        return found
    }

    private func open() throws(StoreFault) -> Int32 {
        let opened = Glibc.open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard opened >= 0 else { throw DatabaseFile.system("open", path) }
        var status = stat()
        guard fstat(opened, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(),
            status.st_nlink == 1
        else {
            close(opened)
            throw StoreFault(
                reason: "\(path) is not a file of this user's own", advice: "Move it away; menshen makes a new one.")
        }
        if status.st_mode & 0o077 != 0, fchmod(opened, 0o600) != 0 {
            defer { close(opened) }
            throw DatabaseFile.system("make private", path)
        }
        return opened
    }

    /// nil: the file is of no version that is known here. An empty one is of any.
    private func leftovers(_ file: Int32) throws(StoreFault) -> [AuditIntent]? {
        var status = stat()
        var head = [UInt8](repeating: 0, count: 64)
        guard fstat(file, &status) == 0, case let count = pread(file, &head, head.count, 0), count >= 0 else {
            throw DatabaseFile.system("read", path)
        }
        if count == 0 { return [] }
        guard let coding = codings.first(where: { head[..<count].starts(with: $0.magic) }) else { return nil }
        var content = [UInt8](repeating: 0, count: min(Int(status.st_size), coding.maximumBytes))
        guard pread(file, &content, content.count, 0) >= 0 else { throw DatabaseFile.system("read", path) }
        return content.withUnsafeBytes { coding.leftovers($0) }.sorted { $0.id.rawValue < $1.id.rawValue }
    }

    /// Gives the file another name, which no other file has; returns that. What is in it may be a newer menshen's, and is that
    /// one's to read.
    private func setAside() throws(StoreFault) -> String {
        for number in 1...1000 {
            let name = path + ".unread" + (number == 1 ? "" : "-\(number)")
            var status = stat()
            if lstat(name, &status) == 0 { continue }
            guard rename(path, name) == 0 else { throw DatabaseFile.system("rename", path) }
            return name
        }
        throw StoreFault(
            reason: "\(path) is of a version that this menshen does not know, as a thousand beside it are",
            advice: "Move them away; menshen makes a new one.")
    }

    /// Begins anew.
    func start() throws(StoreFault) {
        let file = descriptor.load(ordering: .relaxed)
        var header = Current.magic
        header += [UInt8](repeating: 0, count: IntentSlots.headerBytes - header.count)
        guard ftruncate(file, 0) == 0, pwrite(file, header, header.count, 0) == header.count else {
            throw DatabaseFile.system("write", path)
        }
        lanes.withLock { lanes in for lane in lanes { lane.writeReleased(to: file) } }
        isStarted.store(true, ordering: .relaxed)
    }

    /// The oldest `count` intents of a lane that are not released yet have a record elsewhere.
    func release(_ lane: IntentLane, _ count: Int) {
        lane.released(count)
        // Else the file may be a dead process's still.
        guard isStarted.load(ordering: .relaxed) else { return }
        lane.writeReleased(to: descriptor.load(ordering: .relaxed))
    }

    /// False if it was not started, or was deleted, replaced or cut off since.
    var isInPlace: Bool {
        let file = descriptor.load(ordering: .relaxed)
        var head = [UInt8](repeating: 0, count: Current.magic.count)
        guard isStarted.load(ordering: .relaxed), pread(file, &head, head.count, 0) == head.count,
            head == Current.magic
        else { return false }
        return FileIdentity(descriptor: file, path: path).isInPlace
    }

    /// All that it held has a record elsewhere.
    func remove() {
        trust(false)
        if isInPlace { unlink(path) }
    }
}

/// One worker's slots, used in turn. The worker writes; the store's thread says how many are free again.
package final class IntentLane: Sendable {
    let index: Int
    private let log: IntentLog
    private let releasedCount = Atomic<Int>(0)

    fileprivate init(log: IntentLog, index: Int) {
        self.log = log
        self.index = index
    }

    /// `number`: how many the worker has written with this one. False if there is no room.
    fileprivate func write(_ bytes: UnsafeRawBufferPointer, number: Int) -> Bool {
        guard number - releasedCount.load(ordering: .acquiring) <= IntentSlots.laneSlots else { return false }
        return log.write(bytes, at: IntentSlots.slotPlace(lane: index, number: number))
    }

    fileprivate func released(_ count: Int) { releasedCount.add(count, ordering: .releasing) }

    /// A number that can't be written makes a start look at intents that have a row: it lets those alone.
    fileprivate func writeReleased(to file: Int32) {
        var count = Int64(releasedCount.load(ordering: .relaxed))
        _ = pwrite(file, &count, 8, off_t(IntentSlots.counterPlace(lane: index)))
    }
}

/// A worker's end of its lane. Belongs to the worker's thread.
package final class IntentWriter {
    package let lane: IntentLane
    private var count = 0
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: IntentSlots.slotBytes, alignment: 8)

    init(_ lane: IntentLane) { self.lane = lane }

    deinit { buffer.deallocate() }

    /// True: the intent survives the death of the process, and must be submitted as `.noted`. False: it needs a receipt.
    package func note(_ intent: AuditIntent) -> Bool {
        var slot = SlotWriter(buffer)
        guard IntentLog.Current.write(intent, number: count + 1, to: &slot),
            lane.write(UnsafeRawBufferPointer(rebasing: buffer[..<slot.count]), number: count + 1)
        else { return false }
        count += 1
        return true
    }
}
