// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A failure the caller may see: a code from a closed list, a status, one plain sentence with the fix in it.
package struct Problem: Error, Sendable, Equatable {
    /// The raw value goes into `x-menshen-error`, the database and the journal.
    package enum Code: String, Sendable, CaseIterable {
        case malformedRequest = "malformed_request"
        case requestTooLarge = "request_too_large"
        case unauthenticated
        /// Tokens that were given out can't be judged, or changed, at present.
        case tokensUnavailable = "tokens_unavailable"
        /// Stored answers can't be thrown away at present.
        case cacheUnavailable = "cache_unavailable"
        case forbiddenAdministration = "forbidden_administration"
        case forbiddenHost = "forbidden_host"
        case forbiddenOrigin = "forbidden_origin"
        case forbiddenContentType = "forbidden_content_type"
        case forbiddenPath = "forbidden_path"
        /// A rule of `[[callers]]`, or what a token may do, is against it.
        case deniedByPolicy = "denied_by_policy"
        case notFound = "not_found"
        case methodNotAllowed = "method_not_allowed"
        case noProvider = "no_provider"
        case modelNotRouted = "model_not_routed"
        /// Every provider that fits has asked to be left alone, or goes on failing.
        case providerPaused = "provider_paused"
        /// Too many requests are at the provider, or wait for it.
        case concurrencyLimited = "concurrency_limited"
        /// A limit in requests or tokens.
        case limitReached = "limit_reached"
        /// A limit in money.
        case budgetReached = "budget_reached"
        /// A limit in money, and a model without a price.
        case unpricedModel = "unpriced_model"
        /// Too many answers in a row said that the request was at fault.
        case tooManyErrors = "too_many_errors"
        case keyUnavailable = "key_unavailable"
        case upstreamUnreachable = "upstream_unreachable"
        case upstreamBroken = "upstream_broken"
        case upstreamTimeout = "upstream_timeout"
        /// There is none to be had; plain HTTP is.
        case noWebSocket = "no_websocket"
        case requestTimeout = "request_timeout"
        case auditUnavailable = "audit_unavailable"
        case configurationBroken = "configuration_broken"
        case overloaded
        case stopping
    }

    package let code: Code
    package let status: Int
    package let message: String
    /// Whether the SDK's own retry could help; said in `x-should-retry`.
    package let isRetryable: Bool
    /// Said in `Retry-After`, in whole seconds.
    package let retryAfter: UInt64?

    package init(
        _ code: Code, status: Int, _ message: String, isRetryable: Bool = false, retryAfter: UInt64? = nil
    ) {
        self.code = code
        self.status = status
        self.message = message
        self.isRetryable = isRetryable
        self.retryAfter = retryAfter ?? (status == 503 && isRetryable ? 1 : nil)
    }
}

extension Problem {
    /// The body in the shape that SDKs of the dialect read.
    package func body(_ dialect: Dialect, requestID: String) -> [UInt8] {
        var output: [UInt8] = []
        dialect.api.write(self, requestID: requestID, to: &output)
        output.append(10)
        return output
    }
}

extension [UInt8] {
    /// Appends a JSON string, quotes included.
    package mutating func append(json text: String) {
        append(0x22)
        for byte in text.utf8 {
            switch byte {
            case 0x22, 0x5C: self += [0x5C, byte]
            case 0x0A: self += [0x5C, 0x6E]
            case 0x00..<0x20:
                append(contentsOf: "\\u00".utf8)
                append(hexDigit(byte >> 4))
                append(hexDigit(byte & 15))
            default: append(byte)
            }
        }
        append(0x22)
    }

    private func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? 48 + value : 87 + value }
}
