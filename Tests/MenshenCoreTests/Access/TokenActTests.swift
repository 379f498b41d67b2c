// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

/// What an administrator may say, and when a token ends.
@Suite struct TokenActTests {
    private static let now: Int64 = 1_800_000_000

    private static func act(_ body: String) throws(Problem) -> TokenAct { try TokenAct(Array(body.utf8), now: now) }

    private static func problem(_ body: String) -> String {
        do throws(Problem) { _ = try act(body) } catch { return error.message }
        return ""
    }

    @Test func `a token is made with all that is said of it`() throws {
        let act = try Self.act(
            """
            {"act": "create", "name": "ci", "providers": ["openai"], "models": ["gpt-*", "caf\\u00e9"],
             "operations": ["chat"], "paths": ["/v1/*"], "limits": ["5usd/day", "100requests/minute"],
             "concurrency": 4, "max_errors": "10", "expires": "30d", "note": "the \\"build\\""}
            """)
        guard case .create(let name, let terms) = act else { throw Unexpected() }
        #expect(name == "ci" && act.verb == "create")
        #expect(terms.providers == ["openai"] && terms.models == ["gpt-*", "café"] && terms.paths == ["/v1/*"])
        #expect(terms.concurrency == 4 && terms.maxErrors == 10 && terms.note == "the \"build\"")
        #expect(terms.expires == Self.now + 30 * 86_400)
        let scope = try #require(terms.scope)
        #expect(scope.providers == ["openai"] && scope.operations == [.chat] && scope.models[0].matches("gpt-5"))
        #expect(terms.readLimits?.count == 2)
        #expect(
            terms.words
                == "provider openai; models gpt-*, café; operation chat; path /v1/*; 5usd/day; 100requests/minute; "
                + "4 at a time; 10 errors in a row; expires 2027-02-14 08:00:00 UTC")
        #expect(TokenTerms().words == "no limits")
    }

    @Test func `what is not named stays, and what is empty is taken away`() throws {
        var terms = TokenTerms()
        for (name, value) in [
            ("models", FlatObject.Value.list(["a"])), ("note", .text("x")), ("concurrency", .text("2")),
        ] {
            try terms.set(name, value, now: Self.now)
        }
        try terms.set("models", .list([]), now: Self.now)
        try terms.set("concurrency", .text(""), now: Self.now)
        #expect(terms.models == [] && terms.concurrency == nil && terms.note == "x")
    }

    @Test func `what takes a token away, or another's place`() throws {
        guard case .revoke("ci", cuts: true) = try Self.act(#"{"act":"revoke","name":"ci","now":true}"#),
            case .revoke("ci", cuts: false) = try Self.act(#"{"act":"revoke","name":"ci"}"#),
            case .rotate("ci", grace: 3600) = try Self.act(#"{"act":"rotate","name":"ci","grace":"1h"}"#),
            case .rotate("ci", grace: 0) = try Self.act(#"{"name":"ci","act":"rotate"}"#),
            case .edit("ci", let members) = try Self.act(#"{"act":"edit","name":"ci","note":""}"#)
        else { throw Unexpected() }
        #expect(members.map(\.name) == ["note"])
    }

    /// A slip must not make a token that may do everything.
    @Test(arguments: [
        ("", "one JSON object"), ("[]", "one JSON object"), (#"{"name":"a","name":"b"}"#, "one JSON object"),
        (#"{"act":"create","name":"ci","models":[["a"]]}"#, "one JSON object"),
        (#"{"act":"create","name":"ci"} x"#, "one JSON object"), (#"{"act":"create","name":"ci",}"#, "one JSON object"),
        (#"{"act":"create"}"#, "no 'name'"), (#"{"act":"make","name":"ci"}"#, "'act' is one of"),
        (#"{"act":"create","name":"ci","provider":["a"]}"#, "You may mean 'providers'"),
        (#"{"act":"create","name":"ci","providers":"a"}"#, "takes a list"),
        (#"{"act":"create","name":"ci","expires":["30d"]}"#, "takes a text"),
        (#"{"act":"create","name":"ci","operations":["chatt"]}"#, "you may mean 'chat'"),
        (#"{"act":"create","name":"ci","limits":["5 dollars"]}"#, "is no limit"),
        (#"{"act":"create","name":"ci","concurrency":"0"}"#, "from 1 to"),
        (#"{"act":"create","name":"ci","expires":"soon"}"#, "no time to expire"),
        (#"{"act":"create","name":"ci","expires":"2020-01-01"}"#, "is over already"),
        (#"{"act":"create","name":"ci","models":[""]}"#, "1 to 200 bytes"),
        (#"{"act":"create","name":"a b"}"#, "no space"), (#"{"act":"create","name":""}"#, "1 to 64 bytes"),
        (#"{"act":"create","name":"mns_x"}"#, "not its name"), (#"{"act":"revoke","name":"mns_x"}"#, "not its name"),
        (#"{"act":"create","name":"-x"}"#, "begin with '-'"),
        (#"{"act":"edit","name":"ci"}"#, "nothing that is to be changed"),
        (#"{"act":"revoke","name":"ci","grace":"1h"}"#, "no member 'grace'"),
        (#"{"act":"revoke","name":"ci","now":"maybe"}"#, "true or false"),
        (#"{"act":"rotate","name":"ci","grace":"long"}"#, "such as 1h"),
    ])
    func `anything else is refused with what is wrong`(_ body: String, _ sentence: String) {
        #expect(Self.problem(body).contains(sentence), "\(Self.problem(body))")
    }

    @Test(
        arguments: [
            ("1970-01-01", 86_400), ("2026-12-31", 1_798_761_600), ("2028-02-29", 1_835_481_600),
            ("2026-12-31T18:30:05Z", 1_798_741_805), ("90s", 1_800_000_090), ("2h", 1_800_007_200),
        ] as [(String, Int64)])
    func `a time to end is a date, a moment or a span`(_ text: String, _ seconds: Int64) {
        #expect(ExpiryText.parse(text, now: Self.now) == seconds)
    }

    @Test(arguments: [
        "", "0d", "2027-02-29", "2026-13-01", "2026-04-31", "2026-1-1", "26-01-01", "2026-12-31T24:00:00Z",
        "2026-12-31 10:00:00Z",
        "tomorrow", "400d",
    ])
    func `nothing else is`(_ text: String) { #expect(ExpiryText.parse(text, now: Self.now) == nil) }

    @Test func `a moment is written as it is read`() {
        for seconds in stride(from: Int64(0), to: 4_000_000_000, by: 86_399 * 37) {
            let words = ExpiryText.written(seconds).split(separator: " ")
            #expect(ExpiryText.typed(seconds) == "\(words[0])T\(words[1])Z")
            #expect(ExpiryText.parse(ExpiryText.typed(seconds), now: 0) == seconds)
        }
    }

    private struct Unexpected: Error {}
}
