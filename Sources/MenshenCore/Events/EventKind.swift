// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// A kind of journal entry. It stands beside the functions that make its events, in this folder; its paragraph for
/// `journalctl -x` is in systemd/catalogue/menshen.catalog.
package struct EventKind: Sendable, Hashable {
    /// Constant for ever, and the key of the paragraph.
    package let messageID: String
    /// Syslog's: 3 lost work, 4 somebody should act soon, 5 worth seeing once, 6 the usual.
    package let priority: Int
    /// Every entry of the kind carries them; the paragraph may name these and no others.
    package let fields: [String]

    init(_ messageID: String, priority: Int, _ fields: [String]) {
        self.messageID = messageID
        self.priority = priority
        self.fields = fields
    }

    package static let all = life + listening + providers + store + cache + requests + limits + access + telemetry
}
