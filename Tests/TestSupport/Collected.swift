// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Synchronization

/// Texts that several threads hand in.
package final class Collected: Sendable {
    private let texts = Mutex<[String]>([])

    package init() {}

    package func add(_ more: [String]) { texts.withLock { $0 += more } }

    package var all: [String] { texts.withLock { $0 } }
}
