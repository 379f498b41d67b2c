// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import MenshenCore
internal import Synchronization

/// Tells of requests of an earlier process that only the journal had: their rows are about to be written. Whoever reads the
/// records from then on, by `AuditStore.ask`, sees them; a reading that is under way may or may not.
package final class TakenOver: Sendable {
    package typealias Listener = @Sendable ([RequestID]) -> Void

    private let listener = Mutex<Listener?>(nil)

    package init() {}

    package func listen(_ listener: @escaping Listener) { self.listener.withLock { $0 = listener } }

    func tell(_ ids: [RequestID]) {
        if !ids.isEmpty { listener.withLock { $0 }?(ids) }
    }
}
