// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// When the write-ahead log is copied into the database. A page that was written many times is copied once, so fewer
/// checkpoints cost less; but one takes some milliseconds, during which others wait.
struct CheckpointPlan {
    /// Pages that make one worth while in an idle moment.
    private let idlePages: Int32
    /// … and under load: 32 MiB.
    private let urgentPages: Int32 = 8000
    private var nextPages: Int32

    init(idlePages: Int32) {
        self.idlePages = idlePages
        nextPages = idlePages
    }

    func isDue(_ pages: Int32) -> Bool { pages >= nextPages }

    func isUrgent(_ pages: Int32) -> Bool { pages >= max(urgentPages, nextPages) }

    /// A commit after a complete checkpoint starts the log again from its beginning.
    mutating func committed(_ pages: Int32) {
        if pages < idlePages { nextPages = idlePages }
    }

    /// A reader may keep the log from starting again; then the next attempt waits for more pages.
    mutating func copied(_ pages: Int32) { nextPages = max(idlePages, pages + idlePages / 2) }
}
