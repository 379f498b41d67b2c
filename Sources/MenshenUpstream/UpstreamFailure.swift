// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Curl
internal import Linux

/// Why no whole answer came from a provider. The raw values are the reasons that records show.
package struct UpstreamFailure: Error, Sendable, Equatable {
    package enum Reason: String, Sendable, CaseIterable {
        case resolve
        case connect
        case connectTimeout = "connect_timeout"
        case tls
        case proxy
        /// The request went out in vain, over a connection that the provider had closed; it was sent once more.
        case staleConnection = "stale_connection"
        /// The provider has not worked on the request: it refused it, or wants it over HTTP/1.1.
        case refusedStream = "refused_stream"
        case http11Required = "http_1_1_required"
        /// The connection broke before an answer's head was whole.
        case reset
        case firstByteTimeout = "first_byte_timeout"
        case gapTimeout = "gap_timeout"
        /// A stream has not come to an event with content.
        case firstEventTimeout = "first_event_timeout"
        case totalTimeout = "total_timeout"
        /// `failover.deadline`, which holds for all attempts together, passed before this one was answered.
        case deadline
        /// The answer's head cannot be relayed safely.
        case malformed
        /// The answer broke off after its head.
        case truncated
        /// menshen itself is short of something: descriptors, memory.
        case unavailable

        /// The provider has seen nothing of the request, or says that it has done nothing with it.
        package var isBeforeRequest: Bool {
            switch self {
            case .resolve, .connect, .connectTimeout, .tls, .proxy, .staleConnection, .refusedStream, .http11Required,
                .unavailable:
                true
            case .reset, .firstByteTimeout, .firstEventTimeout, .gapTimeout, .totalTimeout, .deadline, .malformed,
                .truncated:
                false
            }
        }
    }

    package let reason: Reason
    /// In words, libcurl's or our own, for records and logs; never holds a key.
    package let detail: String

    package init(_ reason: Reason, _ detail: String = "") {
        self.reason = reason
        self.detail = detail
    }

    package var isTimeout: Bool {
        switch reason {
        case .connectTimeout, .firstByteTimeout, .firstEventTimeout, .gapTimeout, .totalTimeout, .deadline: true
        default: false
        }
    }

    /// Reads a result of libcurl. `hadHead`: the answer's head was complete. `hadConnection`: the request was on its way.
    init(_ error: CurlError, hadHead: Bool, hadConnection: Bool) {
        let reason: Reason =
            switch error.kind {
            case .timeout where !hadConnection: .connectTimeout
            case _ where hadHead: .truncated
            case .resolve: .resolve
            case .connect: .connect
            case .tls: .tls
            case .proxy: .proxy
            case .protocolError: .malformed
            default: .reset
            }
        if reason == .connect || reason == .resolve, OpenFiles.areUsedUp {
            self = .noDescriptors
        } else {
            self.init(reason, error.description)
        }
    }

    /// Why something could not be begun.
    package init(of error: any Error) {
        self = error as? UpstreamFailure ?? UpstreamFailure(.unavailable, "\(error)")
    }

    /// A connection that was not made. `status`: a proxy's answer to CONNECT.
    init(_ error: CurlError, refusedBy status: Int?) {
        if let status, status >= 300 {
            self.init(.proxy, "the proxy answered \(status) to CONNECT")
        } else {
            self.init(error, hadHead: false, hadConnection: false)
        }
    }

    private static let noDescriptors = UpstreamFailure(
        .unavailable,
        "menshen has no free file descriptor; raise LimitNOFILE= of its unit, or lower server.max_connections")
}
