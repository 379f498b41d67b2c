// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import Synchronization

/// Which providers have shown that they have no WebSocket for an operation. It belongs to a configuration, so a reload forgets it, and
/// all workers go by it. Asked for requests for a WebSocket alone.
final class WebSocketMemory: Sendable {
    private struct Place: Hashable {
        /// Index into `routes.providers`.
        let provider: Int
        let operation: Operation
    }

    private let lacking = Mutex<Set<Place>>([])

    func noteLack(at provider: Int, _ operation: Operation) {
        _ = lacking.withLock { $0.insert(Place(provider: provider, operation: operation)) }
    }

    /// Those of `fitting` that may have one.
    func having(_ fitting: [Int], of providers: [Provider], _ operation: Operation) throws(Problem) -> [Int] {
        let having = lacking.withLock { lacking in
            fitting.filter {
                providers[$0].webSocket != .off && !lacking.contains(Place(provider: $0, operation: operation))
            }
        }
        if having.isEmpty { throw .noWebSocket(fitting.map { providers[$0].name }, operation) }
        return having
    }
}
