// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Numbers of the cache, as of its last batch.
package struct CacheStatistics: Sendable, Equatable {
    package var entries = 0
    /// What the entries take up, to be compared with `maxBytes`.
    package var bytes: Int64 = 0
    /// Since the start.
    package var hits: Int64 = 0
    package var misses: Int64 = 0
    package var stored: Int64 = 0
    /// Entries that made room for others, and entries that became too old.
    package var evictions: Int64 = 0
    package var expired: Int64 = 0
    /// Why there is no cache at present.
    package var unavailable: String?

    package init() {}
}
