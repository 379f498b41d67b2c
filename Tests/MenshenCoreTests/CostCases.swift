// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Crypto
import HTTP
import MenshenCore

/// One parser at work on the kind of input that costs it most.
struct CostCase: Sendable, CustomStringConvertible {
    let name: String
    /// The most of it that the loop may get in one turn: what a limit lets through, or what is read at once.
    let most: Int
    /// An input of about so many bytes.
    let input: @Sendable (Int) -> [UInt8]
    let run: @Sendable ([UInt8]) -> Void

    init(
        _ name: String, most: Int, _ input: @escaping @Sendable (Int) -> [UInt8],
        run: @escaping @Sendable ([UInt8]) -> Void
    ) {
        self.name = name
        self.most = most
        self.input = input
        self.run = run
    }

    var description: String { name }

    /// `start`, then `unit` as often as there is room, then `end`.
    static func fill(_ unit: String, _ start: String = "", _ end: String = "") -> @Sendable (Int) -> [UInt8] {
        { size in
            let room = max(0, size - start.utf8.count - end.utf8.count) / max(1, unit.utf8.count)
            var bytes = Array(start.utf8)
            let unit = Array(unit.utf8)
            for _ in 0..<room { bytes += unit }
            return bytes + Array(end.utf8)
        }
    }

    /// Members of different names.
    static func members(_ prefix: String, _ value: String) -> @Sendable (Int) -> [UInt8] {
        { size in
            var bytes = Array("{".utf8)
            var number = 0
            while bytes.count < size {
                bytes += Array("\"\(prefix)\((number &* 7919) % 100_003)\":\(value),".utf8)
                number += 1
            }
            return bytes + Array("\"z\":0}".utf8)
        }
    }
}

/// What a turn may bring at most: one read.
private let read = 64 << 10
/// server.max_header_bytes, as it is without configuration.
private let head = 32 << 10
private let target = RequestParser.maxTargetBytes
private let answerHead = ResponseHead.maxBytes

let costCases: [CostCase] =
    requestCosts + targetCosts + bodyCosts + answerCosts + streamCosts + cacheCosts + secretCosts

// MARK: Heads of requests

private let start = "POST /v1/x HTTP/1.1\r\nHost: h\r\n"

/// Reads a head, and does with it whatever is done before the caller is known and after.
private func readRequest(_ bytes: [UInt8]) {
    var parser = RequestParser()
    guard case .head(let head, _)? = try? parser.parse(bytes.span, limit: bytes.count) else { return }
    let gate = TokenGate(
        tokens: (0..<16).map { Configuration.NamedToken(name: "t\($0)", secret: Secret("token-number-\($0)")) }
    )
    _ = gate.judge(head, queryKey: nil)
    _ = TokenGate.basicCredential(head)
    let web = WebGate(port: 8080, addresses: [], allowedHosts: ["a"], allowedOrigins: ["http://b"])
    _ = web.checkHost(head)
    _ = web.judgeOrigin(head)
    _ = WebSocketUpgrade(head)
    _ = CacheControl(request: head)
    let rules = HeaderRules(for: head, replaced: ["x-team"])
    for field in head.fields { _ = rules.forwards(field, of: head) }
    let parts = CacheKeyParts(dialect: .openai, operation: .chat, path: "/v1/chat/completions", query: nil)
    _ = CacheKey(parts, head, body: Array("{}".utf8))
}

private let requestInputs: [(String, String, String)] = [
    ("tiny fields", "a:\r\n", ""), ("unknown fields", "x-abcdef-ghi: 1\r\n", ""),
    ("options of Connection", "aa,", "Connection: "), ("commas of Connection", ",", "Connection: "),
    ("blanks of Connection", " ", "Connection: a,"), ("fields of Connection", "Connection: a,b\r\n", ""),
    ("codings", "a;q=0,", "Accept-Encoding: "), ("directives", "a=\"\\\"\",", "Cache-Control: "),
    ("sub-protocols", "openai-insecure-api-key.x,", "Sec-WebSocket-Protocol: "),
    ("tokens", "x-api-key: a\r\n", ""), ("a long token", "a", "Authorization: Bearer "),
    ("Basic", "=", "Authorization: Basic "),
    ("slashes of a signature", "/", "Authorization: AWS4-HMAC-SHA256 Credential="),
    ("a long Host", "a", "Cookie: x\r\nOrigin: "), ("a Referer of keys", "access_token", "Referer: "),
    ("transfer codings", "gzip,", "Transfer-Encoding: "),
]

private let requestCosts = requestInputs.map { name, unit, first in
    let isLine = unit.hasSuffix("\n")
    return CostCase(
        "head: \(name)", most: head, CostCase.fill(unit, start + first, isLine ? "\r\n" : "\r\n\r\n"), run: readRequest)
}

// MARK: Targets

private func readTarget(_ bytes: [UInt8]) {
    var parser = RequestParser()
    let whole = Array("GET ".utf8) + bytes + Array(" HTTP/1.1\r\nHost: h\r\n\r\n".utf8)
    guard case .head(let head, _)? = try? parser.parse(whole.span, limit: whole.count),
        let target = RequestTarget(
            path: head.text(head.path), query: head.query.map(head.text), providerNames: ["one", "two"])
    else { return }
    let dialect = Dialect(path: target.path)
    _ = Operation(dialect, path: target.path)
    _ = RequestFacts(dialect, path: target.path)
    _ = target.queryValue("alt")
    _ = target.asking(for: "m", .gemini)
    // The one whose paths are escaped anew, and signed.
    _ = target.upstream(base: "/v1", kind: .bedrock)
    let request = SigV4.Request(method: "GET", target: bytes[...], host: "h", body: [])
    _ = SigV4(accessKeyID: "id", region: "r").sign(request, with: Secret("secret"), at: 0)
}

private let targetInputs: [(String, String, String)] = [
    ("ampersands", "&", "/v1/x?"), ("escapes in a query", "%41", "/v1/x?"), ("pairs", "a=%20&", "/v1/x?"),
    ("one long pair", "=", "/v1/x?"), ("slashes", "/", "/v1"), ("segments", "/a", "/v1"), ("dots", "/.a", "/v1"),
    ("versions", "/v1", ""), ("escapes in a path", "%2Fa", "/v1/"), ("a long segment", "a", "/v1/"),
    ("colons", ":", "/v1/x"), ("letters to be escaped", "!", "/model/"),
]

private let targetCosts = targetInputs.map { name, unit, first in
    CostCase("target: \(name)", most: target, CostCase.fill(unit, first), run: readTarget)
}

// MARK: Bodies of requests

private let bodyInputs: [(String, String)] = [
    ("models", "\"model\":0,"), ("options", "\"stream_options\":{\"include_usage\":true},"),
    ("small members", "\"a\":0,"), ("long keys", "\"modelmodelmodelmodel\":0,"), ("escapes", "\"\\u006d\":0,"),
    ("nesting", "\"metadata\":{\"a\":["), ("numbers", "0,"), ("strings", "\"\","), ("blanks", "\n"),
]

private let formInputs: [(String, String)] = [
    ("parts", "--b\r\n\r\n\r\n"), ("fields", "--b\r\nContent-Disposition: form-data; name=model\r\n\r\nm\r\n"),
    ("parameters", "--b\r\nContent-Disposition: form-data; \(String(repeating: "a=b;", count: 200))\r\n\r\nm\r\n"),
    ("lines of a head", "a\r\n"), ("returns", "\r"), ("almost boundaries", "\r\n--"),
]

private func scanBody(_ bytes: [UInt8]) {
    var scan = RequestScan()
    scan.feed(bytes.span)
    _ = scan.modelPlaces
    _ = scan.usageSplice(in: bytes)
}

private func scanForm(_ bytes: [UInt8]) {
    var scan = FormScan(contentType: "multipart/form-data; boundary=b")
    scan?.feed(bytes.span)
}

/// A whole body, not only a read of it, with as many places for its model as it may have.
private func spliceBody(_ bytes: [UInt8]) {
    var scan = RequestScan()
    scan.feed(bytes.span)
    var body = bytes
    Splice.apply(scan.modelPlaces.splices("another-model"), to: &body)
}

private let chunkInputs: [(String, String, String, String, Bool)] = [
    ("of one byte", "1\r\na\r\n", "", "", false), ("extensions", "1;a=\"b\";c\r\na\r\n", "", "", false),
    ("zeros", "0", "", "1\r\na\r\n", false), ("trailers", "a:\r\n", "0\r\n", "", false),
    ("blanks", "1 ; \r\na\r\n", "", "", true),
]

private let bodyCosts: [CostCase] =
    bodyInputs.map { CostCase("body: \($0)", most: read, CostCase.fill($1, "{", "\"z\":0}"), run: scanBody) }
    + formInputs.map {
        CostCase("form: \($0)", most: read, CostCase.fill($1, "--b\r\n", "\r\n--b--\r\n"), run: scanForm)
    }
    + chunkInputs.map {
        CostCase("chunks: \($0)", most: read, CostCase.fill($1, $2, $3), run: decode(ofAnswer: $4))
    } + [CostCase("splices", most: 2 << 20, places, run: spliceBody)]

@Sendable private func places(_ size: Int) -> [UInt8] {
    let padding = String(repeating: "a", count: size / RequestScan.maxFindings)
    let member = "\"model\":0,\"x\":\"\(padding)\","
    return Array("{".utf8) + Array(String(repeating: member, count: RequestScan.maxFindings).utf8)
        + Array("\"z\":0}".utf8)
}

private func decode(ofAnswer: Bool) -> @Sendable ([UInt8]) -> Void {
    { bytes in
        guard var decoder = try? BodyDecoder(.chunked, limit: 1 << 30, ofAnswer: ofAnswer) else { return }
        var index = 0
        while let step = try? decoder.next(bytes.span, from: index) {
            switch step {
            case .data(let range): index = range.upperBound
            case .needMore, .end: return
            }
        }
    }
}

// MARK: Answers

private func readAnswer(_ bytes: [UInt8]) {
    var reader = ResponseReader()
    var head = ResponseHead()
    var index = 0
    while let step = try? reader.next(bytes.span, from: index, into: &head) {
        switch step {
        case .needMore, .end: return
        case .interim(let consumed):
            index = consumed
            var output: [UInt8] = []
            head.appendInterim(to: &output)
        case .data(let range): index = range.upperBound
        case .head(let consumed):
            index = consumed
            var output: [UInt8] = []
            var keepAlive = true
            _ = head.append(
                to: &output, method: .get, isHTTP11: true, keepAlive: &keepAlive,
                ResponseHead.Additions(requestID: [], allowedOrigin: nil, xCache: nil))
            _ = head.keepsConnection(isHead: false)
            _ = CachedAnswer.fieldLines(of: head)
            _ = CacheControl(answer: head)
        }
    }
}

private let answerInputs: [(String, String, String)] = [
    ("fields", "a:\r\n", ""), ("long fields", "x-\(String(repeating: "a", count: 100)): 1\r\n", ""),
    ("options", "a,", "Connection: "), ("options and fields", "Connection: a\r\nb: c\r\n", ""),
    ("directives", "a,", "Cache-Control: "), ("trailers", "a:\r\n", "Transfer-Encoding: chunked\r\n\r\n0\r\n"),
    ("unread trailers", "Date:\r\n", "Transfer-Encoding: chunked\r\n\r\n0\r\n"),
    ("chunks", "1\r\na\r\n", "Transfer-Encoding: chunked\r\n\r\n"), ("a long line", "a", "X: "),
    ("interim heads", "\r\nHTTP/1.1 103 x\r\n", "\r\nHTTP/1.1 103 x\r\n"),
]

private let answerCosts = answerInputs.map { name, unit, first in
    let start = (first.hasPrefix("\r") ? "HTTP/1.1 103 x\r\n" : "HTTP/1.1 200 OK\r\n") + first
    let end = unit.hasSuffix("\n") ? "\r\n" : "\r\n\r\n"
    return CostCase("answer: \(name)", most: answerHead, CostCase.fill(unit, start, end), run: readAnswer)
}

// MARK: Streams

private func observe(_ operation: Operation, _ type: String) -> @Sendable ([UInt8]) -> Void {
    { bytes in
        guard var observer = AnswerObserver.reading(operation, contentType: type) else { return }
        observer.observe(bytes.span)
        observer.end()
        _ = observer.usage
    }
}

private func filter(_ bytes: [UInt8]) {
    var filter = UsageChunkFilter()
    _ = filter.pass(bytes.span)
    _ = filter.end()
}

private let eventInputs: [(String, String)] = [
    ("empty events", "data:\n\n"), ("empty lines", "\n"), ("comments", ":\n"), ("lines of data", "data:\n"),
    ("fields", "a\n"), ("objects", "data:{}\n\n"), ("usage", "data:{\"usage\":{}}\n\n"),
    ("choices", "data:{\"choices\":[{\"finish_reason\":\"\"}]}\n\n"), ("no JSON", "data:x\n\n"),
    ("errors", "data:{\"error\":{}}\n\n"), ("ends", "data:[DONE]\n\n"),
]

private let jsonInputs: [(String, String, String, String, MenshenCore.Operation)] = [
    ("usage again and again", "\"usage\":{},", "{", "\"z\":0}", .chat), ("answers", "{},", "[", "{}]", .generate),
    ("reasons", "{\"candidates\":[{\"finishReason\":\"S\"}]},", "[", "{}]", .generate),
    ("choices", "{\"finish_reason\":\"\"},", "{\"choices\":[", "{}]}", .chat),
]

private let frameInputs: [(String, [UInt8])] = [
    ("empty", [0x81, 0]), ("of two bytes", [0x81, 2, 0x7B, 0x7D]), ("pings", [0x89, 0]), ("parts", [1, 0, 0x80, 0]),
    ("responses", frame(#"{"type":"response.done","response":{"usage":{"input_tokens":1}}}"#)),
]

private func frame(_ text: String) -> [UInt8] { [0x81, UInt8(text.utf8.count)] + Array(text.utf8) }

private let streamCosts: [CostCase] =
    eventInputs.map { CostCase("chat: \($0)", most: read, CostCase.fill($1), run: observe(.chat, "text/event-stream")) }
    + eventInputs.map {
        CostCase("messages: \($0)", most: read, CostCase.fill($1), run: observe(.messages, "text/event-stream"))
    } + eventInputs.map { CostCase("filter: \($0)", most: read, CostCase.fill($1), run: filter) }
    + [CostCase("filter: a long event", most: read, CostCase.fill("0,", "data:{\"choices\":[", "0]}\n\n"), run: filter)]
    + jsonInputs.map {
        CostCase("JSON: \($0)", most: read, CostCase.fill($1, $2, $3), run: observe($4, "application/json"))
    }
    + frameInputs.map { name, frame in
        CostCase(
            "frames: \(name)", most: read, { size in (0..<size / frame.count).flatMap { _ in frame } }, run: readFrames)
    }

private func readFrames(_ bytes: [UInt8]) {
    var reader = FrameReader()
    var observer = RealtimeObserver()
    reader.push(bytes.span, to: &observer)
}

// MARK: Keys of the cache

private let post: RequestHead? = {
    var parser = RequestParser()
    guard case .head(let head, _)? = try? parser.parse(Array((start + "\r\n").utf8).span, limit: 1000) else {
        return nil
    }
    return head
}()

private func key(_ body: [UInt8]) -> CacheKey? {
    let parts = CacheKeyParts(dialect: .openai, operation: .responses, path: "/v1/responses", query: nil)
    return post.flatMap { CacheKey(parts, $0, body: body) }
}

/// The largest body of the kind that has a key. Only optimised builds want to know it.
private func largest(_ input: (Int) -> [UInt8]) -> Int {
    var size = CacheKey.maxBodyBytes
    #if !DEBUG
        while size > 1 << 10, key(input(size)) == nil { size = size * 7 / 8 }
    #endif
    return size
}

/// A few keys, and many of which each ends like the text.
private let searched = [
    SecretSet(["sk-proj-4f1c9a7e", "sk-ant-api03-x1y2z3", "AIzaSyA-0123456789"].map { Secret($0) }),
    SecretSet((10..<60).map { Secret("sk-\($0)-ant-api03-") } + [Secret("333333333333"), Secret("aaaaaaaaaaab")]),
]

/// The keys that a stored answer is looked through for.
private func searchKeys(_ body: [UInt8]) {
    for secrets in searched { _ = secrets.occurs(in: body.span) }
}

private let secretCosts = ["sk-ant-api03-", "3", "a", "a sentence of an answer, "].map {
    CostCase("keys in '\($0)'", most: 5 << 20, CostCase.fill($0), run: searchKeys)
}

private let cacheInputs: [(String, @Sendable (Int) -> [UInt8])] = [
    ("small members", CostCase.members("", "0")), ("members of one beginning", CostCase.members("aaaaaaaaaaaa", "0")),
    ("long keys", CostCase.members(String(repeating: "a", count: 1000), "0")),
    ("sorted members", { size in Array("{\"a\":\"\(String(repeating: "x", count: size))\",\"b\":0}".utf8) }),
    ("members of many objects", CostCase.fill("{\"b\":0,\"a\":0},", "{\"x\":[", "0]}")),
    ("objects", CostCase.fill("{},", "{\"x\":[", "0]}")), ("numbers", CostCase.fill("0,", "{\"x\":[", "0]}")),
    ("strings", CostCase.fill("\"\",", "{\"x\":[", "0]}")), ("escapes", CostCase.fill("\\u0061", "{\"x\":\"", "\"}")),
    ("blanks", CostCase.fill(" ", "{\"x\":[", "0]}")), ("nested arrays", CostCase.fill("[[]],", "{\"x\":[", "0]}")),
    ("one text", CostCase.fill("a", "{\"x\":\"", "\"}")),
    ("tools", CostCase.fill("{\"type\":\"a\"},", "{\"tools\":[", "{}]}")),
    (
        "a large member moved at each level",
        { size in
            var bytes: [UInt8] = []
            for _ in 0..<59 { bytes += Array("{\"b\":".utf8) }
            bytes += Array("\"\(String(repeating: "x", count: size))\"".utf8)
            for _ in 0..<59 { bytes += Array(",\"a\":0}".utf8) }
            return bytes
        }
    ),
]

private let cacheCosts = cacheInputs.map { name, input in
    CostCase("cache key: \(name)", most: largest(input), input, run: { _ = key($0) })
}
