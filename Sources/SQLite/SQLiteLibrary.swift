// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CSQLite

package enum SQLiteLibrary {
    /// Of the library that is loaded, such as "3.40.1".
    package static var version: String { String(cString: sqlite3_libversion()) }
}
