// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import MenshenCore
import MenshenStore
import SQLite
import Testing

/// What the cache keeps and lets go, by clocks that are moved by hand.
@Suite struct CacheWorkerTests {
    let scratch = Scratch()
    private var path: String { scratch("cache/cache.db") }

    private func mode(_ path: String) -> mode_t? {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode & 0o777 : nil
    }

    @Test func `an answer is found as it was stored, also by the next process`() throws {
        var cache = CacheUnderTest(path)
        #expect(cache.lookUp(1) == nil)
        cache.store(1, "one")
        cache.store(2, "two")
        #expect(cache.lookUp(1) == "one" && cache.lookUp(2) == "two" && cache.lookUp(3) == nil)
        #expect(cache.worker.statistics.entries == 2)
        #expect(cache.worker.statistics.hits == 2 && cache.worker.statistics.misses == 2)
        cache.worker.close()
        cache = CacheUnderTest(path)
        #expect(cache.lookUp(1) == "one")
        #expect(cache.worker.statistics.entries == 2 && cache.worker.statistics.bytes > 1000)
        #expect(cache.events.words == ["opened 2"])
    }

    @Test func `the whole answer comes back`() throws {
        let cache = CacheUnderTest(path)
        let answer = cachedAnswer("one", size: 300_000)
        let found = Box()
        cache.worker.process([
            .store(cacheKey(1), answer, maxAge: hour),
            .lookup(cacheKey(1), now: cache.now, maxAge: hour) { lookup in
                if case .hit(let other) = lookup { #expect(other == answer) }
                found.set(lookup)
            },
        ])
        #expect(found.texts == ["one"])
    }

    @Test func `the file is private, and its directory is made so`() {
        let cache = CacheUnderTest(path)
        cache.store(1, "one")
        #expect(mode(path) == 0o600 && mode(path + "-wal") == 0o600 && mode(scratch("cache")) == 0o700)
    }

    @Test func `a second answer takes the place of the first`() {
        let cache = CacheUnderTest(path)
        cache.store(1, "one", size: 10_000)
        let bytes = cache.worker.statistics.bytes
        cache.store(1, "two")
        #expect(cache.lookUp(1) == "two")
        #expect(cache.worker.statistics.entries == 1 && cache.worker.statistics.bytes < bytes)
        cache.worker.process([.remove(cacheKey(1)), .remove(cacheKey(2))])
        #expect(cache.lookUp(1) == nil)
        #expect(cache.worker.statistics.entries == 0 && cache.worker.statistics.bytes == 0)
    }

    // MARK: Age

    @Test func `an answer is served until its age is reached and then deleted`() throws {
        let cache = CacheUnderTest(path)
        cache.store(1, "one", maxAge: 60 * second)
        cache.clock.advance(seconds: 59)
        #expect(cache.lookUp(1, maxAge: 60 * second) == "one")
        // A request may ask for a younger one; that deletes nothing.
        #expect(cache.lookUp(1, maxAge: 59 * second) == nil)
        #expect(cache.lookUp(1, maxAge: 0) == nil)
        #expect(cache.lookUp(1, maxAge: 60 * second) == "one")
        cache.clock.advance(seconds: 1)
        #expect(cache.lookUp(1, maxAge: hour) == nil)
        #expect(cache.lookUp(1, maxAge: hour) == nil)
        #expect(cache.worker.statistics.expired == 1)
        cache.clock.advance(seconds: 6)
        cache.rest()
        #expect(cache.worker.statistics.entries == 0)
        #expect(try Connection.reading(path).count("answers") == 0)
    }

    @Test func `what nobody asks for any more is swept up`() {
        let cache = CacheUnderTest(path)
        for number in 0..<200 { cache.store(number, "x", maxAge: 60 * second) }
        cache.store(1000, "stays", maxAge: 10 * hour)
        cache.rest()
        #expect(cache.worker.statistics.entries == 201)
        cache.clock.advance(seconds: 700)
        #expect(cache.worker.timeout() == 0)
        cache.rest()
        #expect(cache.worker.statistics.entries == 1 && cache.worker.statistics.expired == 200)
        #expect(cache.lookUp(1000, maxAge: 10 * hour) == "stays")
        #expect((cache.worker.timeout() ?? 0) > 0)
    }

    @Test func `after the clock was set back far an answer is not trusted`() {
        let cache = CacheUnderTest(path)
        let later = cachedAnswer("late", storedAt: cache.now + 2 * hour)
        cache.worker.process([.store(cacheKey(1), later, maxAge: 10 * hour)])
        #expect(cache.lookUp(1) == nil)
        let near = cachedAnswer("near", storedAt: cache.now + second / 2)
        cache.worker.process([.store(cacheKey(2), near, maxAge: 10 * hour)])
        #expect(cache.lookUp(2) == "near")
    }

    // MARK: Size

    @Test func `the least recently used make room`() {
        let cache = CacheUnderTest(path, maxBytes: 100_000)
        for number in 0..<4 {
            cache.store(number, "\(number)", size: 20_000)
            cache.clock.advance(seconds: 1)
        }
        // Not yet written when the next one is stored.
        #expect(cache.lookUp(0) == "0")
        cache.clock.advance(seconds: 1)
        cache.store(4, "4", size: 20_000)
        cache.clock.advance(seconds: 1)
        #expect(cache.worker.statistics.evictions == 1)
        #expect((0...4).map { cache.lookUp($0) } == ["0", nil, "2", "3", "4"])
        #expect(cache.worker.statistics.bytes <= 100_000)
        cache.store(5, "5", size: 90_000)
        #expect(cache.worker.statistics.entries == 1)
        #expect(cache.lookUp(5) == "5")
    }

    @Test func `times of use outlive the process`() {
        var cache = CacheUnderTest(path, maxBytes: 100_000)
        for number in 0..<3 {
            cache.store(number, "\(number)", size: 20_000)
            cache.clock.advance(seconds: 1)
        }
        #expect(cache.lookUp(0) == "0")
        cache.worker.close()
        cache = CacheUnderTest(path, maxBytes: 50_000)
        cache.clock.advance(seconds: 10)
        cache.rest()
        #expect((0...2).map { cache.lookUp($0) } == ["0", nil, "2"])
    }

    @Test func `a file that has become too large gives its room back`() {
        var cache = CacheUnderTest(path, maxBytes: 64 << 20)
        for number in 0..<40 { cache.store(number, "\(number)", size: 1 << 20) }
        cache.worker.close()
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_size > 40 << 20)
        cache = CacheUnderTest(path, maxBytes: 3 << 20)
        cache.clock.advance(seconds: 10)
        cache.rest()
        #expect(cache.worker.statistics.entries == 2 && cache.lookUp(39) == "39")
        cache.worker.close()
        #expect(stat(path, &status) == 0 && status.st_size < 20 << 20, "\(status.st_size)")
    }

    @Test func `a damaged answer is a miss and goes`() throws {
        let cache = CacheUnderTest(path)
        cache.store(1, "one")
        try Connection.reading(path).execute("UPDATE answers SET answer = zeroblob(300)")
        #expect(cache.lookUp(1) == nil && cache.lookUp(1) == nil)
        #expect(cache.worker.statistics.expired == 0)
        cache.clock.advance(seconds: 6)
        cache.rest()
        #expect(cache.worker.statistics.entries == 0)
        cache.store(1, "two")
        #expect(cache.lookUp(1) == "two")
    }

    @Test func `what is larger than the whole cache is not kept, and costs nobody else's place`() {
        let cache = CacheUnderTest(path, maxBytes: 100_000)
        cache.store(1, "one")
        cache.store(2, "two", size: 100_000)
        #expect(cache.lookUp(1) == "one" && cache.lookUp(2) == nil)
        #expect(cache.worker.statistics.evictions == 0)
    }

    @Test func `a hit writes nothing until the times of use have gathered`() throws {
        let cache = CacheUnderTest(path)
        for number in 0..<50 { cache.store(number, "\(number)") }
        cache.rest()
        let reader = try Connection.reading(path)
        cache.clock.advance(seconds: 1)
        let before = try reader.integer("PRAGMA data_version")
        for number in 0..<50 { #expect(cache.lookUp(number) == "\(number)") }
        cache.rest()
        #expect(try reader.integer("PRAGMA data_version") == before)
        cache.clock.advance(seconds: 5)
        cache.rest()
        #expect(try reader.integer("PRAGMA data_version") != before)
        #expect(try reader.count("entries WHERE used_us > stored_us") == 50)
    }

    @Test func `a full cache stays within its limit on disk`() {
        let cache = CacheUnderTest(path, maxBytes: 2 << 20)
        for number in 0..<400 {
            cache.store(number, "x", size: 50_000)
            cache.rest()
        }
        cache.worker.close()
        var status = stat()
        #expect(stat(path, &status) == 0)
        #expect(status.st_size < 3 << 20, "\(status.st_size)")
        #expect(cache.worker.statistics.evictions > 350)
    }
}
