// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

extension Configuration {
    /// `[storage]` and `[storage.sqlite]`.
    package struct Storage: Sendable, Equatable {
        /// nil: the state directory's menshen.db.
        package var path: String?
        /// Rows older than this are deleted; nil keeps them for ever. 90 days hold a billing quarter.
        package var retentionDays: Int? = 90
    }
}

extension Configuration.Storage: ConfigurationRoot {
    static let defaults = Self()

    static let settings: [ConfigurationSetting<Self>] = [
        .custom(
            "storage.retention_days", .integer(0...36_500), default: "\(defaults.retentionDays ?? 0)",
            "Records older than this are deleted; 0 keeps them for ever."
        ) {
            if let days = $1.integer("retention_days") { $0.retentionDays = days > 0 ? days : nil }
        } shown: {
            "\($0.retentionDays ?? 0)"
        },
        .path(
            "storage.sqlite.path", \.path, sample: "\"~/.local/state/menshen/menshen.db\"",
            "The database file; `menshen.db` in the state directory unless given."),
    ]
}
