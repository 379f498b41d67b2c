// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import MenshenCore

/// An answer menshen writes itself: a refusal, a pre-flight, a page of its own.
struct LocalAnswer {
    let status: Int
    var body: [UInt8] = []
    var fields: [(name: String, value: String)] = []

    init(status: Int, fields: [(name: String, value: String)], body: [UInt8] = []) {
        self.status = status
        self.fields = fields
        self.body = body
    }

    /// A problem in the shape the dialect's SDKs read; the headers tell it from the provider's own errors.
    /// `asksForPassword`: a browser that may show a page of menshen's own asks its user then.
    init(_ problem: Problem, _ dialect: Dialect, _ id: RequestID, asksForPassword: Bool = false) {
        status = problem.status
        body = problem.body(dialect, requestID: id.description)
        fields = [
            ("Content-Type", "application/json"),
            (dialect.api.requestIDField, id.description),
            ("x-menshen-error", problem.code.rawValue),
            ("x-should-retry", problem.isRetryable ? "true" : "false"),
        ]
        if problem.status == 401 {
            let challenge = asksForPassword ? "Basic realm=\"menshen\", charset=\"UTF-8\"" : "Bearer realm=\"menshen\""
            fields.append(("WWW-Authenticate", challenge))
        }
        // RFC 9110 §15.5.22: it names what would be needed.
        if problem.status == 426 { fields += [("Upgrade", "websocket"), ("Connection", "Upgrade")] }
        if let field = dialect.api.field(of: problem) { fields.append(field) }
        if let seconds = problem.retryAfter { fields.append(("Retry-After", "\(seconds)")) }
    }

    /// To a target that is not one of a provider's, nor of a page's.
    static func toServer(_ head: RequestHead) throws(Problem) -> LocalAnswer {
        // It is about the server, not about one of its resources (RFC 9110 §9.3.7), and menshen is the server.
        guard head.method == .options, head.target.count == 1 else { throw .unsafePath }
        return LocalAnswer(status: 204, fields: [("Allow", methods)])
    }

    static let methods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

    static func preflightFields(_ head: RequestHead) -> [(name: String, value: String)] {
        [
            ("Access-Control-Allow-Methods", methods),
            // A browser lists what it wants; every header that passes upstream anyway may be sent.
            ("Access-Control-Allow-Headers", allowedHeaders),
            ("Access-Control-Max-Age", "600"),
        ]
    }

    private static let allowedHeaders =
        (["authorization", "content-type", "idempotency-key", "user-agent"]
        + Dialect.allCases.flatMap { $0.api.browserFields })
        .joined(separator: ", ")
}
