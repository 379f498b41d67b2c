// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A breaker that one caller's requests cannot open for the others. What a request may itself have caused counts once per
/// caller; each caller has a breaker of its own beside that. Times are monotonic microseconds.
package struct FairBreaker: Sendable {
    /// Who may be the cause of a failure.
    package enum Blame: Sendable, Equatable {
        /// The provider alone: it was never reached, so no request can be.
        case provider
        /// The request, perhaps.
        case request
        /// Neither: menshen lacked something, or the caller did not send its body.
        case nobody
    }

    /// Callers that are remembered. Processes come and go, and each may have a name of its own.
    private static let maxCallers = 256

    private var shared = Breaker()
    /// Breakers of the callers whose requests have failed since they last had a whole answer.
    private var own: [String: Breaker] = [:]
    /// Callers whose failures `shared` has counted since the last whole answer of anybody.
    private var counted: Set<String> = []

    package init() {}

    /// What holds for everybody.
    package var state: Breaker.State { shared.state }
    package func wait(_ now: UInt64) -> UInt64 { shared.wait(now) }

    /// Nothing that failed is remembered: whoever asks may go on, and a success changes nothing.
    var isCalm: Bool { shared == Breaker() && own.isEmpty && counted.isEmpty }

    /// Callers for whom alone it is open.
    package var openCallers: Int { own.isEmpty ? 0 : own.values.count { $0.state != .closed } }

    /// Microseconds until a request of this caller may try; 0: now.
    package func wait(_ now: UInt64, of caller: String) -> UInt64 {
        let wait = shared.wait(now)
        if own.isEmpty { return wait }
        return max(wait, own[caller]?.wait(now) ?? 0)
    }

    /// A request goes out; after a pause it is the one that finds out.
    package mutating func enter(_ now: UInt64, of caller: String) {
        shared.enter(now)
        if !own.isEmpty { own[caller]?.enter(now) }
    }

    /// A good answer has begun.
    package mutating func answered(_ caller: String) {
        shared.answered()
        if !own.isEmpty { own[caller]?.answered() }
    }

    /// A whole answer came.
    package mutating func succeeded(_ caller: String) {
        shared.succeeded()
        if !counted.isEmpty { counted.removeAll() }
        if !own.isEmpty { own[caller] = nil }
    }

    /// A request ended without saying anything of the provider.
    package mutating func left(_ caller: String) {
        shared.left()
        if !own.isEmpty { own[caller]?.left() }
    }

    package mutating func failed(_ now: UInt64, of caller: String, _ blame: Blame, limit: Int, longest: UInt64) {
        switch blame {
        case .nobody: left(caller)
        case .provider: shared.failed(now, limit: limit, longest: longest)
        case .request:
            makeRoom(for: caller)
            own[caller, default: Breaker()].failed(now, limit: limit, longest: longest)
            // A second failure of the same caller says nothing new.
            if counted.insert(caller).inserted {
                shared.failed(now, limit: limit, longest: longest)
            } else {
                shared.left()
            }
        }
    }

    private mutating func makeRoom(for caller: String) {
        guard own.count >= Self.maxCallers, own[caller] == nil else { return }
        own = own.filter { $0.value.state != .closed }
        if own.count >= Self.maxCallers { own.removeAll() }
        counted.formIntersection(own.keys)
    }
}
