// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import Linux
package import MenshenCore

/// What a lookup found.
package enum CacheLookup: Sendable {
    case hit(CachedAnswer)
    case miss
}

/// Answers on disk, by key. Any thread asks; the thread "cache" owns the database. Whatever goes wrong with it is a miss:
/// nothing here blocks or fails a request.
package final class ResponseCache: Sendable {
    private let queue: CacheQueue
    private let thread: NamedThread

    /// Starts the thread, which opens the database. `log` is called on that thread. Throws if there can be no thread.
    package init(settings: CacheSettings, log: @escaping @Sendable (CacheEvent) -> Void) throws(SystemError) {
        let queue = CacheQueue(
            CacheCalls(limit: settings.queueLimit, byteLimit: settings.queueBytesLimit), CacheStatistics())
        self.queue = queue
        thread = try NamedThread("cache") { Self.run(CacheWorker(settings, log: log), queue) }
    }

    deinit { close() }

    /// Looks for an answer that is younger than `maxAge` (microseconds) at the wall clock's `now`. `reply` is called once,
    /// on the cache's thread, and must return quickly. False when the queue is full or closed: then there is no reply, and
    /// the request goes on as after a miss.
    package func lookup(
        _ key: CacheKey, now: UInt64, maxAge: UInt64, reply: @escaping @Sendable (CacheLookup) -> Void
    ) -> Bool { submit(.lookup(key, now: now, maxAge: maxAge, reply)) }

    /// Keeps an answer for at most `maxAge` (microseconds) from its `storedAt`, in place of one with the same key. One
    /// larger than the whole cache is not kept. False when the queue is full or closed.
    package func store(_ key: CacheKey, _ answer: CachedAnswer, maxAge: UInt64) -> Bool {
        submit(.store(key, answer, maxAge: maxAge))
    }

    package func remove(_ key: CacheKey) -> Bool { submit(.remove(key)) }

    /// Deletes the database's files and makes new ones. `reply` is called once, on the cache's thread, with how many answers
    /// there were. False when the queue is full or closed: then there is no reply.
    package func clear(reply: @escaping @Sendable (Result<Int, StoreFault>) -> Void) -> Bool { submit(.clear(reply)) }

    private func submit(_ call: CacheWork) -> Bool { queue.submit { $0.add(call) } ?? false }

    package var statistics: CacheStatistics { queue.look { $1 } }

    /// Makes the thread look at the clock: for tests whose clock is moved by hand.
    package func wake() { queue.wake() }

    /// Works off what is queued, closes the database and waits for the thread's end. May be called again, but not from a
    /// reply.
    package func close() {
        queue.close()
        thread.join()
    }

    private static func run(_ worker: CacheWorker, _ queue: CacheQueue) {
        var batch: [CacheWork] = []
        while true {
            switch queue.take(worker.statistics, { calls, _ in calls.exchange(&batch) }) {
            case .work:
                worker.process(batch)
                batch.removeAll(keepingCapacity: true)
            case .later, .nothing: if !worker.doChore() { queue.sleep(worker.timeout()) }
            case .closed:
                worker.close()
                // Nobody takes from the queue any more; this leaves the last numbers for `statistics`.
                _ = queue.take(worker.statistics) { _, _ in false }
                return
            }
        }
    }
}

/// What the cache needs to know. Times are microseconds.
package struct CacheSettings: Sendable {
    package var path: String
    /// All entries together.
    package var maxBytes: Int
    /// Calls that wait for the thread: some milliseconds of the busiest load.
    package var queueLimit = 4096
    /// Bodies that wait to be written.
    package var queueBytesLimit = 64 << 20
    /// How long the times of use gather before they are written. A process that is killed forgets those, so that an entry
    /// may be evicted as if it had been used that much earlier.
    package var touchDelay: UInt64 = 5_000_000
    /// Pause between attempts to use a database that failed.
    package var retryInterval: UInt64 = 60_000_000
    package var monotonic: @Sendable () -> UInt64 = { Clock.monotonic() }
    package var wall: @Sendable () -> UInt64 = { Clock.wall() }

    package init(path: String, maxBytes: Int) {
        self.path = path
        self.maxBytes = maxBytes
    }
}
