// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What came of one attempt at a provider before anything of it went down, as far as it decides what is next.
package enum AttemptOutcome: Sendable, Equatable {
    case answered(status: Int)
    /// A 200 whose stream begins with an error event of this type or code.
    case errorEvent(String)
    /// No answer: the connection, a timer, or a head that is not safe to relay.
    case failed
    /// The provider's key could not be had.
    case noKey
    /// A limit does not allow it to be asked.
    case limited
    /// The request is too long for the provider's model.
    case tooLong

    /// Who might do better.
    package enum Remedy: Sendable, Equatable {
        /// Nobody: the request itself is at fault, or it went well.
        case none
        /// The same provider with another key, and nobody else: the key is at fault.
        case otherKey
        /// The same provider with another key, else another provider.
        case otherKeyOrProvider
        case otherProvider
    }

    package var remedy: Remedy {
        switch self {
        case .answered(status: 401), .answered(status: 403): .otherKey
        case .answered(status: 429): .otherKeyOrProvider
        case .answered(let status): Self.isServerFault(status) ? .otherProvider : .none
        case .errorEvent(let code): Dialect.remedy(of: code)
        case .failed, .noKey, .limited, .tooLong: .otherProvider
        }
    }

    /// Something went wrong at the provider that may go well a moment later. One that is overloaded (503, 529) is not among
    /// them, nor what may have been worked on.
    package var isPassing: Bool {
        switch self {
        case .answered(status: 500), .answered(status: 502): true
        case .errorEvent(let code): Dialect.list.contains { $0.passingErrors.contains(code) }
        default: false
        }
    }

    /// What it says of the provider's health: nil for nothing.
    package var isGood: Bool? {
        switch remedy {
        case .none: true
        case .otherKey: nil
        case .otherKeyOrProvider, .otherProvider:
            switch self {
            case .noKey, .limited: nil
            case .tooLong: true
            default: false
            }
        }
    }

    /// 529 is Anthropic's "overloaded". 501 and 505 would be the same elsewhere.
    package static func isServerFault(_ status: Int) -> Bool {
        switch status {
        case 408, 500, 502, 503, 504, 529: true
        default: false
        }
    }
}

extension AttemptOutcome {
    /// For the record; a failure without an answer has a reason of its own.
    package var reason: String {
        switch self {
        case .answered(status: 401), .answered(status: 403): "unauthorized"
        case .answered(status: 429): "rate_limited"
        case .answered(status: 408), .answered(status: 504): "upstream_timeout"
        case .answered(let status): Self.isServerFault(status) ? "server_error" : "ok"
        case .errorEvent: "error_event"
        case .failed: "failed"
        case .noKey: "key_unavailable"
        case .limited: "limit_reached"
        case .tooLong: ContextLength.code
        }
    }
}
