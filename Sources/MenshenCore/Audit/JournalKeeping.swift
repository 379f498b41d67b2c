// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Where journald keeps what it takes, as far as every user can see that.
package enum JournalKeeping: String, Sendable, Equatable {
    case persistent
    /// In memory: gone when the machine stops.
    case volatile
    /// journald passes entries on, or drops them.
    case nowhere
    /// Nobody listens for entries.
    case absent
}
