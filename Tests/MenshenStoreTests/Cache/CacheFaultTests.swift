// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import MenshenCore
import MenshenStore
import SQLite
import Testing

/// Whatever happens to the cache's file, requests see misses at worst.
@Suite struct CacheFaultTests {
    let scratch = Scratch()
    private var path: String { scratch("cache.db") }

    private func bytes(_ path: String) -> [UInt8] {
        let descriptor = open(path, O_RDONLY)
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 8 << 20)
        return Array(buffer[..<max(0, read(descriptor, &buffer, buffer.count))])
    }

    private func write(_ bytes: [UInt8], _ path: String) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        defer { close(descriptor) }
        #expect(Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
    }

    private func filled() -> [UInt8] {
        let cache = CacheUnderTest(path)
        for number in 0..<100 { cache.store(number, "\(number)", size: 3000) }
        cache.worker.close()
        return bytes(path)
    }

    @Test func `a damaged file is deleted and made anew, with one event`() {
        var content = filled()
        // Everything but the first page's header.
        for index in 100..<content.count { content[index] = UInt8(truncatingIfNeeded: index &* 7) }
        write(content, path)
        let cache = CacheUnderTest(path)
        #expect(cache.lookUp(1) == nil)
        cache.store(1, "one")
        #expect(cache.lookUp(1) == "one")
        #expect(cache.events.words == ["renewed", "opened 0"])
        #expect(cache.worker.statistics.unavailable == nil)
    }

    @Test func `damage anywhere is a miss or a right answer, never a wrong one`() {
        let content = filled()
        for round in 0..<60 {
            var damaged = content
            let place = 100 + (round * 7919) % (content.count - 700)
            for index in place..<place + 600 { damaged[index] ^= 0x55 }
            write(damaged, path)
            unlink(path + "-wal")
            unlink(path + "-shm")
            let cache = CacheUnderTest(path)
            for number in 0..<100 {
                let found = cache.lookUp(number)
                #expect(found == nil || found == "\(number)")
            }
            cache.store(200, "new")
            #expect(cache.lookUp(200) == "new" || cache.worker.statistics.unavailable != nil)
            #expect(cache.events.all.count <= 4, "\(cache.events.words)")
            cache.worker.close()
        }
    }

    @Test func `a cut file does no harm`() {
        let content = filled()
        for length in [1, 99, 100, 4095, 4096, 5000, content.count / 2, content.count - 1] {
            write(Array(content[..<length]), path)
            let cache = CacheUnderTest(path)
            for number in 0..<100 {
                let found = cache.lookUp(number)
                #expect(found == nil || found == "\(number)")
            }
            cache.worker.close()
        }
    }

    @Test(arguments: ["text", "another program's", "the audit database"])
    func `a file that is not ours is never touched`(kind: String) throws {
        switch kind {
        case "text": write(Array("a letter to a friend".utf8), path)
        case "another program's":
            try Connection.reading(path).execute("CREATE TABLE t (a); INSERT INTO t VALUES (1)")
        default:
            let settings = StoreSettings(databasePath: path, journal: nil)
            StoreWorker(settings) { _ in }.close()
        }
        let before = bytes(path)
        let cache = CacheUnderTest(path)
        cache.store(1, "one")
        #expect(cache.lookUp(1) == nil)
        let cleared = Box()
        cache.worker.process([.clear { if case .failure(let fault) = $0 { cleared.set(fault.reason) } }])
        #expect(cleared.texts.first??.contains("not a cache") == true)
        cache.clock.advance(seconds: 61)
        #expect(cache.lookUp(1) == nil)
        cache.worker.close()
        #expect(bytes(path) == before && !before.isEmpty)
        #expect(cache.events.words == ["unavailable"])
        #expect(cache.worker.statistics.unavailable?.contains("not a cache") == true)
    }

    @Test func `a place that can't be written is told once and tried again`() {
        // A directory where the file should be, also for root.
        mkdir(path, 0o700)
        let cache = CacheUnderTest(path)
        for _ in 0..<3 {
            #expect(cache.lookUp(1) == nil)
            cache.store(1, "one")
            cache.clock.advance(seconds: 61)
        }
        #expect(cache.events.words == ["unavailable"])
        rmdir(path)
        #expect(cache.lookUp(1) == nil)
        cache.store(1, "one")
        #expect(cache.lookUp(1) == "one")
        #expect(cache.events.words == ["unavailable", "opened 1"])
        #expect(cache.worker.statistics.unavailable == nil)
    }

    @Test func `a file of another version is thrown away`() throws {
        _ = filled()
        try Connection.reading(path).execute("INSERT INTO migrations (step) VALUES ('9 of the future')")
        let cache = CacheUnderTest(path)
        #expect(cache.lookUp(1) == nil)
        cache.store(1, "one")
        #expect(cache.lookUp(1) == "one")
        #expect(cache.events.words == ["renewed", "opened 0"])
    }

    @Test func `two processes do not share a file`() {
        let first = CacheUnderTest(path)
        first.store(1, "one")
        let second = CacheUnderTest(path)
        #expect(second.lookUp(1) == nil)
        #expect(second.events.words == ["unavailable"])
        #expect(second.worker.statistics.unavailable?.contains("another menshen") == true)
        first.worker.close()
        second.clock.advance(seconds: 61)
        #expect(second.lookUp(1) == "one")
    }

    @Test func `a file that is deleted under us is made anew`() {
        let cache = CacheUnderTest(path)
        cache.store(1, "one")
        unlink(path)
        unlink(path + "-wal")
        unlink(path + "-shm")
        cache.clock.advance(seconds: 2)
        #expect(cache.lookUp(1) == nil)
        cache.store(2, "two")
        #expect(cache.lookUp(2) == "two")
        cache.worker.close()
        #expect(Scratch.names(in: scratch.path).contains("cache.db"))
    }

    @Test func `clearing leaves no answer on the disk`() {
        let cache = CacheUnderTest(path)
        for number in 0..<20 { cache.store(number, "CANARY-\(number)", size: 2000) }
        let before = Box()
        let after = Box()
        cache.worker.process([
            .lookup(cacheKey(1), now: cache.now, maxAge: hour) { before.set($0) }, .clear { _ in },
            .lookup(cacheKey(1), now: cache.now, maxAge: hour) { after.set($0) },
        ])
        #expect(before.texts == ["CANARY-1"] && after.texts == [nil])
        #expect(cache.worker.statistics.entries == 0 && cache.worker.statistics.bytes == 0)
        for name in Scratch.names(in: scratch.path) {
            let text = String(decoding: bytes(scratch(name)), as: UTF8.self)
            #expect(!text.contains("CANARY"), "\(name)")
        }
        cache.store(1, "one")
        #expect(cache.lookUp(1) == "one")
    }

    @Test func `a lookup that fails within a batch is answered once`() throws {
        _ = filled()
        let cache = CacheUnderTest(path)
        // Under the open connection, as another program might.
        try Connection.reading(path).execute("DROP TABLE answers")
        let replies = Box()
        cache.worker.process(
            (0..<5).map { number in .lookup(cacheKey(number), now: cache.now, maxAge: hour) { replies.set($0) } }
                + [.store(cacheKey(7), cachedAnswer("seven"), maxAge: hour)])
        #expect(replies.texts == [nil, nil, nil, nil, nil])
        #expect(cache.worker.statistics.unavailable != nil)
        cache.clock.advance(seconds: 61)
        cache.store(1, "one")
        #expect(cache.lookUp(1) == "one")
    }
}
