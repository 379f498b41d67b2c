// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
package import Systemd

/// What the store needs to know. Times are microseconds unless the name says otherwise.
package struct StoreSettings: Sendable {
    package var databasePath: String
    /// Rows older than this are deleted; nil keeps them for ever.
    package var retentionDays: Int?
    /// nil: no request entries in the journal, and no second audit device.
    package var journal: JournalSocket?
    /// Where what `journal` took can be read back; nil: nowhere.
    package var journalSource: JournalReader.Source?
    /// journald keeps 10,000 entries per 30 s of *all* units of a user; 100 a second is a third of that.
    package var requestEntriesPerSecond = 100
    /// Entries waiting for the store's thread: some 20 MiB, or several seconds of the busiest load measured.
    package var backlogLimit = 65_536
    /// Rows a minute for callers that could not authenticate, so that nobody can fill the disk.
    package var refusalRowsPerMinute = 20
    /// Limit of the database file in pages of 4 KiB; nil for none.
    package var maximumPages: Int?
    /// How long a batch waits for another program's write lock before it goes to the journal.
    package var busyMilliseconds: Int32 = 200
    /// How long what nobody waits for may gather after the last of it was written, to share a transaction: noted intents and
    /// settlements; after a quiet time it is written at once. A request that ends meanwhile is written once, and is `lost`
    /// if the process is killed meanwhile.
    package var gatherTime: UInt64 = 5000
    /// Versions of the intent log that a start reads.
    package var intentCodings = IntentCodings.known
    package var takenOver = TakenOver()
    /// Pause between attempts to use a database that failed.
    package var retryInterval: UInt64 = 1_000_000
    package var monotonic: @Sendable () -> UInt64 = { Clock.monotonic() }
    package var wall: @Sendable () -> UInt64 = { Clock.wall() }

    package init(databasePath: String, retentionDays: Int? = 90, journal: JournalSocket?) {
        self.databasePath = databasePath
        self.retentionDays = retentionDays
        self.journal = journal
    }
}
