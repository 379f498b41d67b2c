// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
package import MenshenCore

/// Asks a provider, through the running menshen and so with the key in use, what costs nothing and needs a key.
package struct ProviderProbe: Sendable {
    package enum Verdict: String, Sendable {
        case works
        /// 401 or 403.
        case refused
        /// 429: the key is known, and may do nothing now.
        case limited
        /// The provider answered something that says nothing of the key.
        case unclear
        /// No answer came: address, connection, TLS, a timer.
        case unreachable
        /// menshen has no key for it, or does not ask it now.
        case notAsked = "not_asked"
    }

    package let verdict: Verdict
    package let status: Int
    /// The provider's word, or menshen's own; may be empty.
    package let message: String
    /// Name of the request's record.
    package let requestID: String
    package let milliseconds: UInt64

    /// A connection attempt, a key command and the provider have their own limits, which are shorter.
    private static let patience = 90

    package static func run(_ provider: Provider, socket: String) throws -> ProviderProbe {
        let start = Clock.monotonic()
        let path = "/\(provider.name)" + provider.kind.api.probe(provider.baseURL)
        let answer = try AdminClient.get(path, ["Accept: application/json"], socket: socket, patience: patience)
        return ProviderProbe(answer, milliseconds: (Clock.monotonic() - start) / 1000)
    }

    init(_ answer: AdminClient.Answer, milliseconds: UInt64) {
        status = answer.status
        message = Self.message(answer)
        requestID = answer["x-menshen-request-id"] ?? ""
        self.milliseconds = milliseconds
        verdict = Self.verdict(answer, message)
    }

    private static func verdict(_ answer: AdminClient.Answer, _ message: String) -> Verdict {
        if let problem = answer["x-menshen-error"] {
            return ["upstream_unreachable", "upstream_timeout", "upstream_broken"].contains(problem)
                ? .unreachable : .notAsked
        }
        switch answer.status {
        case 200..<300: return .works
        // AWS knows the key, and says what it may not do.
        case 403 where answer["x-amzn-errortype"]?.hasPrefix("AccessDenied") == true: return .works
        case 401, 403: return .refused
        // Google's word for a key that it does not know is a 400.
        case 400 where message.contains("API key"): return .refused
        case 429: return .limited
        default: return .unclear
        }
    }

    private static let paths = JSONPaths(["error.message", "message", "error", "detail", "[].error.message"])

    /// Fit for a terminal.
    private static func message(_ answer: AdminClient.Answer) -> String {
        if 200..<300 ~= answer.status { return "" }
        var scanner = JSONScanner(paths, textLimit: 1024)
        scanner.feed(answer.body.span)
        return TextTable.printable(scanner.found.compactMap(\.string).first ?? "")
    }
}
