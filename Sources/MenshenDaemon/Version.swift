// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CVersion
internal import MenshenUpstream
internal import SQLite

package enum Version {
    package static let text = "0.1.0"

    /// What `menshen --version` says: name, version, commit, and the libraries that it has been loaded with.
    package static var line: String {
        let commit = String(cString: cversion_commit())
        return "menshen \(text) (commit \(commit)) \(TransferEngine.libraries) SQLite/\(SQLiteLibrary.version)"
    }
}
