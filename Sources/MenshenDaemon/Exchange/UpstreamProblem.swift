// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenUpstream

extension Problem {
    /// The one place where an upstream failure becomes an answer.
    init(_ failure: UpstreamFailure, provider: String) {
        let who = "Provider '\(provider)'"
        switch failure.reason {
        case .resolve:
            self.init(
                .upstreamUnreachable, status: 502, "\(who): its host name has no address. Check base_url and DNS.",
                isRetryable: true)
        case .connect:
            self.init(
                .upstreamUnreachable, status: 502, "\(who) refuses the connection or cannot be reached.",
                isRetryable: true)
        case .tls:
            self.init(
                .upstreamUnreachable, status: 502,
                "\(who): TLS failed: \(failure.detail)."
            )
        case .proxy:
            self.init(
                .upstreamUnreachable, status: 502, "\(who): the configured proxy failed. (\(failure.detail))",
                isRetryable: true)
        case .unavailable:
            self.init(
                .overloaded, status: 503, "\(who) cannot be asked. (\(failure.detail))", isRetryable: true)
        case .reset, .staleConnection:
            self.init(
                .upstreamBroken, status: 502, "\(who) closed the connection before it answered.", isRetryable: true)
        case .refusedStream, .http11Required:
            self.init(
                .upstreamBroken, status: 502, "\(who) did not take the request. (\(failure.detail))", isRetryable: true)
        case .malformed:
            self.init(
                .upstreamBroken, status: 502, "\(who) sent an answer that cannot be relayed safely. (\(failure.detail))"
            )
        case .truncated:
            self.init(.upstreamBroken, status: 502, "\(who): its answer broke off.", isRetryable: true)
        case .connectTimeout:
            self.init(
                .upstreamTimeout, status: 504, "\(who) did not accept a connection within upstream.connect_timeout.",
                isRetryable: true)
        case .firstByteTimeout:
            self.init(
                .upstreamTimeout, status: 504, "\(who) did not begin to answer within upstream.first_byte_timeout.",
                isRetryable: true)
        case .firstEventTimeout:
            self.init(
                .upstreamTimeout, status: 504,
                "\(who) sent no event with content within failover.first_event_timeout.", isRetryable: true)
        case .gapTimeout:
            self.init(
                .upstreamTimeout, status: 504, "\(who) fell silent for upstream.gap_timeout.", isRetryable: true)
        case .totalTimeout:
            self.init(
                .upstreamTimeout, status: 504, "\(who) did not finish within upstream.total_timeout.", isRetryable: true
            )
        case .deadline: self = .deadlinePassed
        }
    }
}
