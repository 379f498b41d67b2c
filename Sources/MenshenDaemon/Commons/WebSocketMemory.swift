// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import Synchronization

/// Which providers have shown that they have no WebSocket at a path. Paths are the callers' choice, so only so many are kept. It belongs to a configuration, so a reload forgets it, and
/// all workers go by it. Asked for requests for a WebSocket alone.
final class WebSocketMemory: Sendable {
    private struct Place: Hashable {
        /// Index into `routes.providers`.
        let provider: Int
        let path: String
    }

    private static let most = 256

    private let lacking = Mutex<Set<Place>>([])

    func noteLack(at provider: Int, _ resolved: ResolvedTarget) {
        lacking.withLock { lacking in
            guard lacking.count < Self.most else { return }
            lacking.insert(Place(provider: provider, path: resolved.target.path))
        }
    }

    /// Those of `fitting` that may have one.
    func having(_ fitting: [Int], of providers: [Provider], _ resolved: ResolvedTarget) throws(Problem) -> [Int] {
        let path = resolved.target.path
        let having = lacking.withLock { lacking in
            fitting.filter {
                providers[$0].webSocket != .off && !lacking.contains(Place(provider: $0, path: path))
            }
        }
        if having.isEmpty { throw .noWebSocket(fitting.map { providers[$0].name }, resolved.operation) }
        return having
    }
}
