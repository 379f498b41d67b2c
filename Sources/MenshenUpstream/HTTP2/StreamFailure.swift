// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import HTTP2

extension UpstreamFailure {
    /// How a stream ended that is not whole. `fault`: why its head was refused here; `loss`: why its connection ended.
    init(_ end: Stream.End, hasHead: Bool, fault: ResponseHead.Fault?, loss: UpstreamFailure?) {
        let before: Reason
        let detail: String
        switch end {
        case .lost: (before, detail) = (loss?.reason ?? .reset, loss?.detail ?? "")
        case .refused: (before, detail) = (.refusedStream, "the provider refused the request")
        case .needsHTTP1: (before, detail) = (.http11Required, "the provider wants the request over HTTP/1.1")
        case .reset(let code): (before, detail) = (.reset, "the provider reset the stream: \(code)")
        case .invalid(.violation): (before, detail) = (.malformed, "the answer is against HTTP/2")
        case .invalid(.badField): (before, detail) = (.malformed, Self.unsafe(.malformed))
        case .invalid(.tooLarge): (before, detail) = (.malformed, Self.unsafe(.tooLarge))
        case .invalid(.unwanted): (before, detail) = (.malformed, Self.unsafe(fault ?? .malformed))
        }
        self.init(hasHead ? .truncated : before, detail)
    }

    private static func unsafe(_ fault: ResponseHead.Fault) -> String {
        "the answer's head is not safe to relay: \(fault)"
    }
}
