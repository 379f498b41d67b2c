// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import MenshenCore
import TestSupport
import Testing

@Suite struct CacheControlTests {
    private func request(_ lines: String...) throws -> CacheControl {
        let text = "POST / HTTP/1.1\r\nHost: h\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
        var parser = RequestParser()
        guard case .head(let head, _) = try parser.parse(Array(text.utf8).span, limit: 1 << 20) else {
            throw WireIncomplete()
        }
        return CacheControl(request: head)
    }

    private func control(_ change: (inout CacheControl) -> Void = { _ in }) -> CacheControl {
        var control = CacheControl()
        change(&control)
        return control
    }

    @Test func `directives are found in any case, in lists and over several fields`() throws {
        #expect(try request() == control())
        #expect(try request("Cache-Control: no-store") == control { $0.noStore = true })
        #expect(try request("cache-control:NO-CACHE") == control { $0.noCache = true })
        #expect(try request("Cache-Control: max-age=60 , No-Store") == control { ($0.maxAge, $0.noStore) = (60, true) })
        #expect(
            try request("Cache-Control: max-age=60", "Cache-Control: no-cache, max-age=5")
                == control { ($0.maxAge, $0.noCache) = (5, true) })
        #expect(try request("Cache-Control: private") == control { $0.isPrivate = true })
    }

    @Test(
        arguments: [
            ("max-age=\"60\"", 60), ("max-age = 60", 60), ("max-age=0", 0), ("max-age=99999999999999999999", Int64.max),
            ("max-age", nil), ("max-age=", nil), ("max-age=x", nil), ("max-age=-1", nil), ("max-age=6x", nil),
            ("max-stale=\"a, max-age=7\"", nil), ("x=\"\\\"\", max-age=7", 7), (",, ;;=, max-age=7", 7),
            ("\"max-age=7\"", nil), ("max-age=\"7", 7), ("s-maxage=7", nil), ("x=\"a\"junk, max-age=7", 7),
        ] as [(String, Int64?)])
    func `arguments`(value: String, age: Int64?) throws {
        #expect(try request("Cache-Control: \(value)") == control { $0.maxAge = age })
    }

    @Test func `Pragma counts only without Cache-Control`() throws {
        #expect(try request("Pragma: no-cache").noCache)
        #expect(try !request("Pragma: no-cache", "Cache-Control: max-age=1").noCache)
        #expect(try !request("Pragma: no-store").noStore)
    }

    @Test(arguments: [
        ("no-store", false, false), ("private", true, false), ("private=\"set-cookie\"", true, false),
        ("no-cache", true, true), ("max-age=0, must-revalidate", true, true), ("", true, true),
    ])
    func `which answers may be kept`(value: String, caller: Bool, instance: Bool) throws {
        var head = ResponseHead()
        for line in ["HTTP/1.1 200 OK", "Cache-Control: \(value)", ""] {
            _ = try head.add(Array("\(line)\r\n".utf8).span)
        }
        let control = CacheControl(answer: head)
        #expect(control.allowsStoring(.caller) == caller)
        #expect(control.allowsStoring(.instance) == instance)
    }

    @Test func `junk never stops it`() throws {
        let cases = Fuzzing.cases(3_000)
        var random = SeededGenerator(state: Fuzzing.seed("cache directives", cases))
        let insertions = ["\"", "\\", ",", "=", ";", "max-age", "no-store", " ", "\t", "9"].map { Array($0.utf8) }
        for _ in 0..<cases {
            var text = Array("max-age=60, no-store, x=\"a\\\"b\", private".utf8)
            for _ in 0..<random.number(1...5) { random.damage(&text, insertions) }
            let value = String(decoding: text.map { (0x20...0x7E).contains($0) ? $0 : 0x20 }, as: UTF8.self)
            _ = try request("Cache-Control: \(value)")
        }
    }
}
