// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import MenshenCore

/// What a running menshen knows beside its records, at one moment: for the dashboard. Holds no key, and
/// no token. Times are in seconds since 1970 unless said otherwise.
package struct LiveView: Sendable {
    package struct Limit: Sendable {
        package var key: Int?
        /// "requests", "tokens", "5 h", …
        package var title: String
        /// 0…1; nil if the provider does not say.
        package var used: Double?
        package var resetsAt: Int64?

        package init(key: Int?, title: String, used: Double?, resetsAt: Int64?) {
            self.key = key
            self.title = title
            self.used = used
            self.resetsAt = resetsAt
        }
    }

    package enum Health: String, Sendable { case fine, paused, leftAlone = "left_alone", off }

    package struct Provider: Sendable {
        package var name: String
        package var kind: String
        package var baseURL: String
        /// Where its key comes from, in words; never the key.
        package var keySource: String
        package var weight: Int
        package var health: Health
        /// In a few words.
        package var state: String
        package var lastFailure: String?
        package var active: Int
        /// nil: as many as it likes.
        package var places: Int?
        package var queued: Int
        package var limits: [Limit]

        package init(
            name: String, kind: String, baseURL: String, keySource: String, weight: Int, health: Health, state: String,
            lastFailure: String?, active: Int, places: Int?, queued: Int, limits: [Limit]
        ) {
            self.name = name
            self.kind = kind
            self.baseURL = baseURL
            self.keySource = keySource
            self.weight = weight
            self.health = health
            self.state = state
            self.lastFailure = lastFailure
            self.active = active
            self.places = places
            self.queued = queued
            self.limits = limits
        }
    }

    /// A request under way.
    package struct UnderWay: Sendable {
        package var id: RequestID
        package var state: OpenState
        /// Microseconds.
        package var age: Int64
        /// Token, or "uid:" and a number.
        package var caller: String?
        package var client: String?
        package var session: String?
        package var model: String?
        package var provider: String?
        /// Microseconds since the first byte of the answer went down.
        package var answering: Int64?
        package var inputTokens: Int64?
        /// So many at least have come.
        package var leastOutput: Int64?
        package var bytesOut: Int64 = 0

        package init(id: RequestID, state: OpenState, age: Int64) {
            self.id = id
            self.state = state
            self.age = age
        }
    }

    package var version: String
    package var host: String
    package var startedAt: Int64
    package var isDraining: Bool
    /// What is wrong, each a sentence that names the remedy: configuration, TCP, tokens, database.
    package var faults: [String]
    package var configurationPath: String
    package var databasePath: String
    package var listeners: [String]
    package var recordsWritten: Int64
    /// Waiting for the database.
    package var backlog: Int
    /// Requests under way.
    package var openCount: Int
    /// The oldest of them, with what has come; empty unless the page is about them.
    package var underWay: [UnderWay]
    package var providers: [Provider]
    package var pots: [PotState]
    /// nil: none is configured.
    package var cache: CacheStatistics?
    package var tokens: [GivenToken]
    package var configuredTokens: [String]
    /// The configuration in force, without secrets.
    package var configuration: String

    package init(version: String, host: String, startedAt: Int64, configurationPath: String, databasePath: String) {
        self.version = version
        self.host = host
        self.startedAt = startedAt
        self.configurationPath = configurationPath
        self.databasePath = databasePath
        isDraining = false
        faults = []
        listeners = []
        recordsWritten = 0
        backlog = 0
        openCount = 0
        underWay = []
        providers = []
        pots = []
        cache = nil
        tokens = []
        configuredTokens = []
        configuration = ""
    }
}
