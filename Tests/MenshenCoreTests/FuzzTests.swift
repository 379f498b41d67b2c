// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import MenshenCore
import TestSupport
import Testing

/// Damaged input for what reads bytes from outside. The heads of requests are compared with llhttp in HTTPTests, JSON with a
/// reference in JSONScannerTests. contrib/manual/testing.md says how to run them for longer.
@Suite struct FuzzTests {
    private static let insertions = [
        "\n", "\r", "\r\n", "\n\n", "\r\n\r\n", "\0", ": ", ":", "data: ", "data:", "data", "event: error\n",
        "data: [DONE]\n\n",
        "data: {", "{\"error\":{\"type\":\"x\"}}", "\"usage\":{\"prompt_tokens\":1}", "}", "{", "[", "]", ",", "\"",
        "\\", "\\u",
        "\u{FEFF}", "null", "1e999", "[DONE]", "\"type\":\"message_stop\"", "\"type\":\"response.completed\"",
    ].map { Array($0.utf8) }

    /// Everything that is read of an answer, and what of a chat stream passes when menshen's own usage chunk is taken out.
    private struct Reading: Equatable {
        var answer: CorpusTests.Reading
        var passed: [UInt8]
        var closing: [UInt8]?
        var hasFailed: Bool

        init(_ item: CorpusCase, _ body: [UInt8], cuts: [Int]) throws {
            var observer = try #require(try item.observer)
            var filter = UsageChunkFilter()
            var passed: [UInt8] = []
            var from = 0
            for cut in cuts + [body.count] {
                let piece = body.span.extracting(from..<cut)
                observer.observe(piece)
                passed += filter.pass(piece)
                from = cut
            }
            passed += filter.end()
            self.passed = passed
            closing = observer.closingEvent(Problem(.upstreamBroken, status: 502, "It broke off."))
            observer.end()
            answer = CorpusTests.Reading(observer)
            if case .failed = observer.ending { hasFailed = true } else { hasFailed = false }
        }
    }

    @Test func `a damaged answer is read the same however it is cut`() throws {
        let cases = Fuzzing.cases(3_000)
        var random = SeededGenerator(state: Fuzzing.seed("answers", cases))
        let corpus = try CorpusCase.all.filter { try $0.observer != nil && $0.body.count < 20_000 }
        var (complete, failed, changed) = (0, 0, 0)
        for number in 0..<cases {
            let item = random.pick(corpus)
            var body = item.body
            for _ in 0..<random.pick([0, 1, 1, 2, 4]) { random.damage(&body, Self.insertions) }
            let whole = try Reading(item, body, cuts: [])
            let cuts = random.cuts(body.count)
            let pieces = try Reading(item, body, cuts: cuts)
            if whole != pieces {
                let place = zip(whole.passed, pieces.passed).enumerated().first { $1.0 != $1.1 }?.offset
                Issue.record(
                    """
                    case \(number), \(item.name), at \(cuts)
                    \(whole.answer) or \(pieces.answer); closing \(whole.closing == pieces.closing)
                    passed \(whole.passed.count) or \(pieces.passed.count), differing at \(place ?? -1)
                    \(String(decoding: body, as: UTF8.self).debugDescription)
                    """)
                return
            }
            // Only whole events are taken out.
            if whole.passed.count > body.count { Issue.record("case \(number): more passed than came") }
            if whole.answer.ending == .complete { complete += 1 }
            if whole.hasFailed { failed += 1 }
            if body != item.body { changed += 1 }
        }
        #expect(complete > cases / 10 && failed > cases / 100 && changed > cases / 2)
    }

    @Test func `a damaged head of an answer is read the same however its lines come, or refused`() {
        let cases = Fuzzing.cases(3_000)
        var random = SeededGenerator(state: Fuzzing.seed("heads of answers", cases))
        let seeds = [
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n",
            "HTTP/2 200 \r\ncontent-type: text/event-stream\r\nx-request-id: a\r\n\r\n",
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\nTransfer-Encoding: chunked\r\n\r\nX-Trailer: 1\r\n\r\n",
        ].map { Array($0.utf8) }
        var (accepted, refused) = (0, 0)
        for number in 0..<cases {
            var text = random.pick(seeds)
            for _ in 0..<random.pick([0, 1, 1, 2, 4]) { random.damage(&text, Self.insertions) }
            var head = ResponseHead()
            var isFinal = false
            var isRefused = false
            // As libcurl gives them: line by line.
            for line in text.split(separator: 10, omittingEmptySubsequences: false).dropLast() {
                do {
                    if try head.add((Array(line) + [10]).span) == .final { isFinal = true }
                } catch {
                    isRefused = true
                    break
                }
            }
            if isRefused { refused += 1 }
            guard isFinal, !isRefused else { continue }
            accepted += 1
            var output: [UInt8] = []
            var keepAlive = true
            let framing = head.append(
                to: &output, method: .get, isHTTP11: true, keepAlive: &keepAlive,
                ResponseHead.Additions(
                    requestID: Array("0123456789abcdef".utf8), allowedOrigin: nil, xCache: nil))
            // What goes down is one head: a blank line at its end and nowhere else, and no control character.
            let ends = output.indices.dropLast(3).filter { output[$0..<$0 + 4].elementsEqual([13, 10, 13, 10]) }
            let isClean = output.enumerated().allSatisfy { place, byte in
                byte >= 0x20 && byte != 0x7F || byte == 9 || byte == 13 && output[place + 1] == 10
                    || byte == 10 && output[place - 1] == 13
            }
            if ends != [output.count - 4] || !isClean {
                Issue.record("case \(number): \(text.map { $0 }) became \(String(decoding: output, as: UTF8.self))")
                return
            }
            if case .fixed(let length) = framing, length < 0 { Issue.record("case \(number): a length below 0") }
        }
        #expect(accepted > cases / 10 && refused > cases / 10)
    }

    private static let configuration = """
        listen = [":8080"]
        verbose = true
        [server]
        workers = 2
        allowed_hosts = ["llm.example:8080"]
        idle_timeout = "75s"
        max_body_bytes = "64MiB"
        [auth]
        user = "admin"
        password = "${PASSWORD}"
        [[auth.tokens]]
        name = "laptop"
        token = "${LAPTOP_TOKEN:-CANARY-token}"
        [[providers]]
        name = "one"
        base_url = "https://api.openai.com/v1"
        api_key = "${KEY}"
        weight = 3
        headers = { "x-team" = "${TEAM}" }
        [[providers]]
        base_url = "unix:///run/llm.sock:/v1"
        api_key_command = ["pass", "show", "azure"]
        proxy = "socks5h://user:pass@127.0.0.1:1080"
        [upstream]
        gap_timeout = "1min30s"
        [storage.sqlite]
        path = "~/menshen.db"

        """

    private static func variable(_ name: String) -> String { name == "HOME" ? "/home/door" : "CANARY-\(name)-value" }

    @Test func `a damaged configuration is one, or says why not`() {
        let cases = Fuzzing.cases(1_000)
        var random = SeededGenerator(state: Fuzzing.seed("configurations", cases))
        let insertions =
            Self.insertions
            + [
                "[[providers]]\n", "[server]\n", "\"\"\"", "'", "'''", "#", "=", " = ", "${", "}", "${X:-", "$", "-1",
                "9223372036854775808",
                "1979-05-27T07:32:00Z", "inf", "nan", "0x", "[", "]]", "\u{7F}", "true", ".", "kind = \"azure\"\n", "é",
            ].map { Array($0.utf8) }
        let seed = Array(Self.configuration.utf8)
        let undamaged = ConfigurationDecoder.decode(seed, file: "/c.toml") { Self.variable($0) }
        #expect(undamaged.configuration != nil, "\(undamaged.diagnostics)")
        var (accepted, refused) = (0, 0)
        for number in 0..<cases {
            var text = seed
            for _ in 0..<random.pick([0, 1, 1, 2, 4]) { random.damage(&text, insertions) }
            let decoded = ConfigurationDecoder.decode(text, file: "/c.toml") { Self.variable($0) }
            let errors = decoded.diagnostics.filter { $0.severity == .error }
            let lines = text.filter { $0 == 10 }.count + 1
            let isPlaced = decoded.diagnostics.allSatisfy { (0...lines + 1).contains($0.line) && !$0.message.isEmpty }
            // A value of a variable is nowhere shown, whatever it stands in now.
            let isSilent = decoded.diagnostics.allSatisfy { !$0.description.contains("CANARY-KEY") }
            if (decoded.configuration == nil) != !errors.isEmpty || !isPlaced || !isSilent {
                Issue.record("case \(number): \(decoded.diagnostics)\n\(String(decoding: text, as: UTF8.self))")
                return
            }
            guard let configuration = decoded.configuration else {
                refused += 1
                continue
            }
            accepted += 1
            // Where a key belongs it is masked; a repetition may have put the variable into an address, say.
            let words = String(decoding: text, as: UTF8.self)
            let isKey = words.contains("\napi_key = \"${KEY}\"\n") && words.split(separator: "KEY").count == 2
            if isKey, ConfigurationRendering.text(of: configuration).contains("CANARY-KEY-value") {
                Issue.record("case \(number): config show says a key\n\(String(decoding: text, as: UTF8.self))")
                return
            }
        }
        #expect(accepted > cases / 10 && refused > cases / 10)
    }
}
