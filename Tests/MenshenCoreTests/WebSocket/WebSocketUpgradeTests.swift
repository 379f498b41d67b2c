// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import MenshenCore
import Testing

@Suite struct WebSocketUpgradeTests {
    private static let lines = [
        "Connection: keep-alive, Upgrade", "Upgrade: WebSocket", "Sec-WebSocket-Key: k", "Sec-WebSocket-Version: 13",
    ]

    private func head(_ lines: [String], method: String = "GET", version: String = "1.1") throws -> RequestHead {
        let text = "\(method) /v1/realtime HTTP/\(version)\r\nHost: h\r\n" + lines.map { $0 + "\r\n" }.joined() + "\r\n"
        var parser = RequestParser()
        let bytes = Array(text.utf8)
        guard case .head(let head, _) = try parser.parse(bytes.span, limit: 1 << 20) else { throw WireIncomplete() }
        return head
    }

    @Test func `an upgrade is known by its four fields`() throws {
        #expect(WebSocketUpgrade(try head(Self.lines)) != nil)
        for index in Self.lines.indices {
            var fewer = Self.lines
            fewer.remove(at: index)
            #expect(WebSocketUpgrade(try head(fewer)) == nil, "\(Self.lines[index])")
        }
        #expect(WebSocketUpgrade(try head(Self.lines, method: "POST")) == nil)
        #expect(WebSocketUpgrade(try head(Self.lines, version: "1.0")) == nil)
        #expect(WebSocketUpgrade(try head(Self.lines + ["Content-Length: 1"])) == nil)
        #expect(WebSocketUpgrade(try head(Self.lines + ["Sec-WebSocket-Key: other"])) == nil)
        #expect(WebSocketUpgrade(try head(Self.lines + ["Sec-WebSocket-Version: 8"])) == nil)
    }

    @Test(arguments: [
        ([], ""), (["realtime"], "realtime"), (["a,, b ,\tc"], "a, b, c"), (["a", "b"], "a, b"),
        (["openai-insecure-api-key.k"], ""), (["OpenAI-Insecure-API-Key.k, a"], "a"),
        (["a, openai-organization.o, openai-project.p", "openai-beta.realtime-v1"], "a, openai-beta.realtime-v1"),
    ])
    func `sub-protocols pass but for those that carry credentials`(given: [String], kept: String) throws {
        let upgrade = WebSocketUpgrade(try head(Self.lines + given.map { "Sec-WebSocket-Protocol: \($0)" }))
        #expect(String(decoding: try #require(upgrade).protocols, as: UTF8.self) == kept)
    }

    @Test func `a token among the sub-protocols is a token`() throws {
        let gate = TokenGate(tokens: [.init(name: "page", secret: Secret("tok"))])
        func judge(_ value: String) throws -> TokenGate.Verdict {
            gate.judge(try head(["Sec-WebSocket-Protocol: \(value)"]), queryKey: nil)
        }
        #expect(try judge("realtime, openai-insecure-api-key.tok").tokenName == "page")
        #expect(try judge("openai-insecure-api-key.tok2, realtime") == .invalid)
        #expect(try judge("realtime") == .missing)
        #expect(TokenGate.onlyCredential(try head(["x-api-key: k", "Sec-WebSocket-Protocol: realtime"])) == nil)
    }

    @Test func `credentials in a query are taken out, whichever API they are of`() throws {
        for name in ["key", "access_token", "api-key", "%6Bey"] {
            let target = RequestTarget(path: "/ws/x", query: "a=1&\(name)=sk%2D1&model=m%20n", providerNames: [])
            #expect(target?.query == "a=1&model=m%20n")
            #expect(target?.queryKey == "sk-1")
            #expect(target?.queryValue("model") == "m n")
        }
    }

    @Test func `Google's Live API keeps its own path`() throws {
        let path = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
        #expect(Dialect(path: path) == .gemini)
        let target = try #require(RequestTarget(path: path, query: nil, providerNames: []))
        for base in ["", "/v1beta"] { #expect(target.upstream(base: base, kind: .gemini) == path) }
        #expect(target.upstream(base: "/proxy/v1beta", kind: .gemini) == "/proxy" + path)
        #expect(Dialect(path: "/openai/realtime") == .azure)
    }
}
