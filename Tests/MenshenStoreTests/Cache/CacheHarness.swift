// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import MenshenCore
import MenshenStore
import Synchronization

let second: UInt64 = 1_000_000
let hour: UInt64 = 3600 * second
/// Wall clock of the tests' first moment.
let morning: UInt64 = 1_800_000_000 * second

/// A key of its own for each number.
func cacheKey(_ number: Int) -> CacheKey {
    var parser = RequestParser()
    let parts = CacheKeyParts(
        dialect: .openai, operation: .chat, path: "/v1/chat/completions", query: nil)
    guard
        case .head(let head, _) = try? parser.parse(Array("POST / HTTP/1.1\r\nHost: h\r\n\r\n".utf8).span, limit: 4096),
        let key = CacheKey(parts, head, body: Array("{\"seed\":\(number)}".utf8))
    else { preconditionFailure("there is no key") }
    return key
}

func cachedAnswer(_ text: String, storedAt: UInt64 = morning, size: Int = 0) -> CachedAnswer {
    var answer = CachedAnswer(
        status: 200, fieldLines: Array("content-type: application/json\r\n".utf8),
        body: Array(text.utf8) + [UInt8](repeating: 0x20, count: size), isStream: false, storedAt: storedAt,
        requestID: RequestID(rawValue: 5))
    answer.usage = Usage()
    answer.usage?.inputTotal = 7
    return answer
}

final class CacheEvents: Sendable {
    private let events = Mutex<[CacheEvent]>([])
    var all: [CacheEvent] { events.withLock { $0 } }
    func log(_ event: CacheEvent) { events.withLock { $0.append(event) } }

    /// "opened 0", "unavailable", "renewed".
    var words: [String] {
        all.map { event in
            switch event {
            case .opened(_, let entries): "opened \(entries)"
            case .directoryExposed: "exposed"
            case .unavailable: "unavailable"
            case .renewed: "renewed"
            }
        }
    }
}

/// A worker without its thread, and the clocks it reads.
final class CacheUnderTest {
    let clock = ManualClock()
    let events = CacheEvents()
    let worker: CacheWorker
    /// Texts that were found; nil for a miss.
    private let found = Mutex<[String?]>([])

    init(_ path: String, maxBytes: Int = 1 << 20) {
        var settings = CacheSettings(path: path, maxBytes: maxBytes)
        let clock = clock
        settings.monotonic = { clock.now }
        // Both clocks go on together.
        settings.wall = { morning + clock.now - 1_000_000_000 }
        let events = events
        worker = CacheWorker(settings) { events.log($0) }
    }

    var now: UInt64 { morning + clock.now - 1_000_000_000 }

    func store(_ number: Int, _ text: String, size: Int = 0, maxAge: UInt64 = hour) {
        worker.process([.store(cacheKey(number), cachedAnswer(text, storedAt: now, size: size), maxAge: maxAge)])
    }

    func lookUp(_ number: Int, maxAge: UInt64 = hour) -> String? {
        let result = Box()
        worker.process([.lookup(cacheKey(number), now: now, maxAge: maxAge) { result.set($0) }])
        return result.texts.count == 1 ? result.texts[0] : "\(result.texts.count) replies"
    }

    /// What the thread does until it would sleep.
    func rest() { while worker.doChore() {} }
}

/// Collects replies.
final class Box: Sendable {
    private let replies = Mutex<[String?]>([])
    var texts: [String?] { replies.withLock { $0 } }

    func set(_ text: String?) { replies.withLock { $0.append(text) } }

    func set(_ lookup: CacheLookup) {
        replies.withLock { replies in
            switch lookup {
            case .hit(let answer):
                replies.append(String(decoding: answer.body.prefix { $0 != 0x20 }, as: UTF8.self))
            case .miss: replies.append(nil)
            }
        }
    }
}
