// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import Synchronization

/// The keys that the commands of one configuration have printed, by the provider's index. A command runs once for all workers.
/// Times are monotonic microseconds.
final class KeyCommands: Sendable {
    private struct Key {
        var secret: Secret?
        var trouble: KeyTrouble?
        /// When the command runs again.
        var expires: UInt64 = 0
        var endedAt: UInt64 = 0
        var isRunning = false

        func lookup(_ now: UInt64) -> KeyRing.Lookup {
            guard let trouble else {
                // While the command runs again the old key serves.
                if let secret { return .ready(secret) }
                return isRunning ? .pending : .failed("The key command of this provider gave no key.")
            }
            if let secret, now < trouble.since + KeyRing.grace { return .stale(secret, trouble.reason) }
            return isRunning ? .pending : .failed(trouble.reason)
        }
    }

    /// A failed command is not run again for each request.
    private static let failureLifetime: UInt64 = 5_000_000

    private let keys = Mutex<[Int: Key]>([:])
    private let changes = Atomic<Int>(0)

    /// Counts the times that `secrets` may have changed.
    var version: Int { changes.load(ordering: .acquiring) }
    var secrets: [Secret] { keys.withLock { $0.values.compactMap(\.secret) } }

    /// `mustRun`: the asking worker starts the command.
    func key(_ index: Int, now: UInt64) -> (lookup: KeyRing.Lookup, mustRun: Bool) {
        keys.withLock { keys in
            var key = keys[index] ?? Key()
            let mustRun = now >= key.expires && !key.isRunning
            if mustRun { key.isRunning = true }
            keys[index] = key
            return (key.lookup(now), mustRun)
        }
    }

    /// The provider refuses `refused`. nil: there is no sense in running the command for that.
    func keyAnew(_ index: Int, refused: Secret?, now: UInt64) -> (lookup: KeyRing.Lookup, mustRun: Bool)? {
        keys.withLock { keys in
            guard var key = keys[index] else { return nil }
            // Whoever waits with us is answered by one run, and refused keys do not start one each.
            if key.isRunning { return (.pending, false) }
            if now < key.endedAt + Self.failureLifetime || key.secret?.digest != refused?.digest { return nil }
            key.isRunning = true
            keys[index] = key
            return (.pending, true)
        }
    }

    func trouble(_ index: Int) -> String? { keys.withLock { $0[index]?.trouble?.reason } }

    func ended(_ index: Int, _ result: Result<Secret, KeyCommandFailure>, lifetime: Duration, now: UInt64) {
        keys.withLock { keys in
            var key = keys[index] ?? Key()
            key.isRunning = false
            key.endedAt = now
            switch result {
            case .success(let secret):
                key.secret = secret
                key.trouble = nil
                key.expires = now + lifetime.microseconds
            case .failure(let failure):
                key.trouble = KeyTrouble(since: key.trouble?.since ?? now, reason: failure.message)
                key.expires = now + Self.failureLifetime
            }
            keys[index] = key
            // Before a worker can get the key: it is masked from then on.
            changes.add(1, ordering: .releasing)
        }
    }
}

/// Why a source gives no key, and since when, in monotonic microseconds.
struct KeyTrouble: Sendable {
    let since: UInt64
    var reason: String
}

/// Why a key command gave no key; holds nothing the command printed on its standard output.
struct KeyCommandFailure: Error, Sendable {
    let message: String
}
