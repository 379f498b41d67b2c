// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import FoundationEssentials
import MenshenCore
import Testing

/// Bodies of problems, read with Foundation's JSON decoder: the shapes that each provider's SDK reads.
@Suite struct WireProblemTests {
    private struct OpenAI: Decodable {
        struct Fault: Decodable {
            var message: String
            var type: String
            var code: String
            var param: String?
        }
        var error: Fault
    }

    private struct Anthropic: Decodable {
        struct Fault: Decodable {
            var type: String
            var message: String
        }
        var type: String
        var error: Fault
        var request_id: String
    }

    private struct Gemini: Decodable {
        struct Fault: Decodable {
            var code: Int
            var message: String
            var status: String
        }
        var error: Fault
    }

    private func decode<Body: Decodable>(_ problem: Problem, _ dialect: Dialect, as type: Body.Type) throws -> Body {
        try JSONDecoder().decode(type, from: Data(problem.body(dialect, requestID: "0abc")))
    }

    private static let statuses = [
        400, 401, 403, 404, 405, 408, 413, 415, 417, 421, 429, 431, 500, 501, 502, 503, 504, 505, 529,
    ]

    /// Everything that JSON must escape, and what it need not.
    private static let message =
        "quote \" backslash \\ slash / line\nreturn\r tab\t bell\u{7} nul\u{0} é 🙂 \u{2028} \u{7F} </script>"

    @Test(arguments: Problem.Code.allCases) func `a body has the dialect's shape and the whole message`(
        _ code: Problem.Code
    ) throws {
        for status in Self.statuses {
            let problem = Problem(code, status: status, Self.message)
            for dialect in [Dialect.openai, .azure] {
                let body = try decode(problem, dialect, as: OpenAI.self)
                #expect(body.error.message == Self.message)
                #expect(body.error.code == code.rawValue)
                #expect(body.error.type == (status >= 500 ? "server_error" : "invalid_request_error"))
                #expect(body.error.param == nil)
            }
            let anthropic = try decode(problem, .anthropic, as: Anthropic.self)
            #expect(anthropic.type == "error" && anthropic.request_id == "0abc")
            #expect(anthropic.error.message == Self.message)
            #expect(anthropic.error.type.hasSuffix("_error") || anthropic.error.type == "request_too_large")
            let gemini = try decode(problem, .gemini, as: Gemini.self)
            #expect(gemini.error.code == status && gemini.error.message == Self.message)
            #expect(gemini.error.status.allSatisfy { $0.isUppercase || $0 == "_" })
        }
    }

    @Test(arguments: [
        (401, "authentication_error", "UNAUTHENTICATED"), (403, "permission_error", "PERMISSION_DENIED"),
        (404, "not_found_error", "NOT_FOUND"), (413, "request_too_large", "INVALID_ARGUMENT"),
        (429, "rate_limit_error", "RESOURCE_EXHAUSTED"), (500, "api_error", "INTERNAL"),
        (503, "api_error", "UNAVAILABLE"),
        (504, "timeout_error", "DEADLINE_EXCEEDED"), (529, "overloaded_error", "INVALID_ARGUMENT"),
        (400, "invalid_request_error", "INVALID_ARGUMENT"),
    ])
    func `the kind of error follows the status`(_ status: Int, _ anthropic: String, _ gemini: String) throws {
        let problem = Problem(.overloaded, status: status, "m")
        #expect(try decode(problem, .anthropic, as: Anthropic.self).error.type == anthropic)
        if status != 529 { #expect(try decode(problem, .gemini, as: Gemini.self).error.status == gemini) }
    }

    @Test func `codes are words for a database`() {
        let codes = Problem.Code.allCases.map(\.rawValue)
        #expect(Set(codes).count == codes.count)
        #expect(codes.allSatisfy { $0.utf8.allSatisfy { (97...122).contains($0) || $0 == 95 } })
    }
}
