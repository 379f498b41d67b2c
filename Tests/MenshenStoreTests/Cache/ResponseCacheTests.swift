// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import Linux
import MenshenCore
import MenshenStore
import Synchronization
import Testing

/// The cache with its thread.
@Suite struct ResponseCacheTests {
    let scratch = Scratch()

    private func cache(_ change: (inout CacheSettings) -> Void = { _ in }) throws -> ResponseCache {
        var settings = CacheSettings(path: scratch("cache.db"), maxBytes: 16 << 20)
        change(&settings)
        return try ResponseCache(settings: settings) { _ in }
    }

    private func lookUp(_ cache: ResponseCache, _ number: Int) -> [String?] {
        let (found, answered) = (Box(), Signal())
        let isTaken = cache.lookup(cacheKey(number), now: morning, maxAge: hour) { lookup in
            found.set(lookup)
            answered.post()
        }
        if isTaken { answered.wait() }
        return found.texts
    }

    @Test func `what is stored is found by whoever asks after it`() throws {
        let cache = try cache()
        for number in 0..<50 { #expect(cache.store(cacheKey(number), cachedAnswer("\(number)"), maxAge: hour)) }
        #expect(lookUp(cache, 49) == ["49"] && lookUp(cache, 0) == ["0"] && lookUp(cache, 50) == [nil])
        let cleared = Box()
        #expect(cache.remove(cacheKey(0)))
        #expect(lookUp(cache, 0) == [nil])
        #expect(cache.clear { cleared.set((try? $0.get()).map { "\($0)" }) })
        #expect(lookUp(cache, 49) == [nil] && cleared.texts == ["49"])
        cache.close()
        #expect(cache.statistics.hits == 2 && cache.statistics.misses == 3 && cache.statistics.entries == 0)
    }

    @Test func `closing works off what is queued and takes no more`() throws {
        let cache = try cache()
        for number in 0..<200 { #expect(cache.store(cacheKey(number), cachedAnswer("\(number)"), maxAge: hour)) }
        cache.close()
        cache.close()
        #expect(!cache.store(cacheKey(1), cachedAnswer("1"), maxAge: hour) && !cache.clear { _ in })
        #expect(lookUp(cache, 1) == [])
        let again = try self.cache()
        #expect(lookUp(again, 199) == ["199"])
        #expect(cache.statistics.entries == 200 && cache.statistics.stored == 200)
    }

    @Test func `a full queue refuses at once, by number and by bytes`() throws {
        let (held, release) = (Signal(), Signal())
        let cache = try cache { ($0.queueLimit, $0.queueBytesLimit) = (4, 10_000) }
        // The thread is kept busy by its own reply.
        #expect(
            cache.lookup(cacheKey(0), now: morning, maxAge: hour) { _ in
                held.post()
                release.wait()
            })
        held.wait()
        #expect(cache.store(cacheKey(1), cachedAnswer("1", size: 6000), maxAge: hour))
        #expect(!cache.store(cacheKey(2), cachedAnswer("2", size: 6000), maxAge: hour))
        #expect(cache.store(cacheKey(3), cachedAnswer("3"), maxAge: hour))
        #expect(cache.remove(cacheKey(9)) && cache.remove(cacheKey(9)))
        #expect(!cache.lookup(cacheKey(1), now: morning, maxAge: hour) { _ in Issue.record("answered") })
        release.post()
        cache.close()
        #expect(cache.statistics.entries == 2)
    }

    @Test func `many threads at once`() throws {
        let cache = try cache()
        let replies = Mutex(0)
        let threads = try (0..<4).map { worker in
            try NamedThread("asker-\(worker)") {
                for number in 0..<200 {
                    let key = cacheKey(number % 20)
                    if number % 5 == 0 { _ = cache.store(key, cachedAnswer("\(number % 20)"), maxAge: hour) }
                    while !cache.lookup(
                        key, now: morning, maxAge: hour,
                        reply: { lookup in
                            if case .hit(let answer) = lookup {
                                #expect(answer.body == Array("\(number % 20)".utf8))
                            }
                            replies.withLock { $0 += 1 }
                        })
                    { sched_yield() }
                }
            }
        }
        for thread in threads { thread.join() }
        cache.close()
        #expect(replies.withLock { $0 } == 800)
    }

    /// Figures, not checks: run with MENSHEN_BENCHMARK=1 and `-c release`.
    @Test(.enabled(if: getenv("MENSHEN_BENCHMARK") != nil), arguments: [1_000, 50_000, 1 << 20])
    func `time of a lookup by size of the answer`(_ size: Int) throws {
        let cache = try cache()
        for number in 0..<10 { _ = cache.store(cacheKey(number), cachedAnswer("\(number)", size: size), maxAge: hour) }
        #expect(lookUp(cache, 9) == ["9"])
        let rounds = 1000
        let keys = (0..<10).map { cacheKey($0) }
        let answered = Signal()
        let time = ContinuousClock().measure {
            for round in 0..<rounds {
                _ = cache.lookup(keys[round % 10], now: morning, maxAge: hour) { _ in answered.post() }
                answered.wait()
            }
        }
        print("hit of \(size) bytes: \(time / rounds) from call to reply, one after the other")
    }
}
