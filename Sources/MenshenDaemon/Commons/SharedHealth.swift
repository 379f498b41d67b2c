// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import Synchronization

/// A provider's health, as all workers find it. While nothing is wrong, to ask and to tell costs one atomic load.
final class SharedHealth: Sendable {
    private let health: Mutex<ProviderHealth>
    private let keys: Int
    /// The key to use while nothing is wrong; `troubled`: the health itself has to be asked.
    private let calmKey = Atomic<Int>(0)
    private static let troubled = -1

    init(keys: Int) {
        self.keys = max(1, keys)
        health = Mutex(ProviderHealth(keys: keys))
    }

    /// As it stands now.
    var value: ProviderHealth { health.withLock { $0 } }

    /// One step that no other worker comes between.
    @discardableResult
    func change<Result: Sendable>(_ step: (inout ProviderHealth) -> Result) -> Result {
        health.withLock { health in
            defer { calmKey.store(health.isCalm ? health.preferred : Self.troubled, ordering: .releasing) }
            return step(&health)
        }
    }

    /// nil: something is wrong.
    private var calm: Int? {
        let key = calmKey.load(ordering: .acquiring)
        return key == Self.troubled ? nil : key
    }

    // MARK: Asking

    func usableKey(_ model: String?, _ now: UInt64, of caller: String, tried: [Int] = []) -> Int? {
        if let calm {
            if tried.isEmpty { return calm }
            return (0..<keys).lazy.map { [keys] in (calm + $0) % keys }.first { !tried.contains($0) }
        }
        return health.withLock { $0.usableKey(model, now, of: caller, tried: tried) }
    }

    func unlimitedKey(_ model: String?, _ now: UInt64) -> Int? {
        calm ?? health.withLock { $0.unlimitedKey(model, now) }
    }

    func wait(_ model: String?, _ now: UInt64, of caller: String) -> UInt64 {
        calm != nil ? 0 : health.withLock { $0.wait(model, now, of: caller) }
    }

    func askedWait(_ model: String?, _ now: UInt64) -> UInt64 {
        calm != nil ? 0 : health.withLock { $0.askedWait(model, now) }
    }

    // MARK: Telling

    func enter(_ key: Int, _ now: UInt64, of caller: String) {
        if calm == nil { change { $0.enter(key, now, of: caller) } }
    }

    func answered(_ key: Int, of caller: String) {
        if calm == nil { change { $0.answered(key, of: caller) } }
    }

    func succeeded(_ key: Int, of caller: String) {
        if calm == nil { change { $0.succeeded(key, of: caller) } }
    }

    func left(_ key: Int, of caller: String) {
        if calm == nil { change { $0.left(key, of: caller) } }
    }
}
