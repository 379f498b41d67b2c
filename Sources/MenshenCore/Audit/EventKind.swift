// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// The kinds of journal entries menshen writes. The raw value is the entry's MESSAGE_ID: constant for ever, and the key
/// of its paragraph in systemd/catalogue/menshen.catalog, which `journalctl -x` shows.
package enum EventKind: String, Sendable, CaseIterable {
    case started = "46aa79b1942740f9a81022128651d0a8"
    case stopping = "6b6db319aa65419aa4292b5e93e6196e"
    /// MENSHEN_REASON is "idle", "signal" or "replaced" (a newer binary is installed).
    case stopped = "32e4276d35854cabbaf57d62ae5274da"
    case reloaded = "cbf04b688edd4790a0ba50958e432057"
    case reloadFailed = "20567f153a734173b106e173da584fd2"
    /// Activated with a configuration that cannot be used: every request is answered 503 with the reason.
    case configurationBroken = "399c50de60f348838bcb21202d854d12"
    /// The database takes no records; the journal keeps them all.
    case auditDegraded = "df8ca8af06c3406ea807ae4e2436df9d"
    case auditRecovered = "2a023ced0f82440e9a3e3ab13e6cb727"
    /// Request entries left out of the journal because they came too fast; they are in the database.
    case notJournalled = "c9551804d6da4cd7b36dd865e1446ea5"
    /// Another uid connected to the Unix socket and was cut off before any HTTP was read.
    case peerRefused = "ab8b55a029be4496aa9c6c22212f9bab"
    case authenticationDisabled = "60c683adce8e4ef1b0c9c10c003b4372"
    case keyUnavailable = "8b00d1c133d549cfbc7b20911b124022"
    /// A key's source has become unusable; the earlier key serves for a minute.
    case keyStale = "5d2f0a6c8d3b4f0f9d1b2c7c0a5e6f31"
    /// A provider goes on failing or has asked for it, and gets no requests for a while.
    case providerPaused = "c28b2b392850421ca8a3305120fea2d1"
    case listenFailed = "e655b335cd1d4d8f90311a7b2088f6d9"
    /// Rows of requests that were under way when an earlier process died are settled as "lost".
    case databaseLost = "085c77fd7130402ab490675b72307d5e"
    /// The database's file or its log was deleted or replaced under us.
    case databaseTaken = "d59a5589c8c044d5aefe330101bb887c"
    /// Old rows are kept, because the clock is ahead of the newest record or has jumped.
    case clockDoubted = "2052ce4ed04c441b94d00c9f0f955a5f"
    case databaseOpened = "f3811e3127964621a166b343705dd2e8"
    /// Answers wait for the database again; nothing is lost by that.
    case intentLogUnusable = "04769cf9d2d24915b55600329e99e1af"
    /// A file of an unknown version in the intent log's place was given another name.
    case intentLogSetAside = "62756450bde5418a98c02d76690794cc"
    case directoryExposed = "a9435c9688f84263be4a7a946e98ce5b"
    /// Neither the database nor the journal takes records: requests are refused.
    case auditUnavailable = "72b126eed3bb488fae27f45240bfd3ae"
    /// Rows were made of what only the journal had.
    case journalTakenOver = "11d5d8f2da9f4ac98d10303d9d6735f8"
    /// The journal does not give back what only it has.
    case journalUnreadable = "e151915d40b940b1a81a94a086abf1d4"
    /// Old rows were deleted.
    case recordsExpired = "adbc0d8eb3d542daa4a55a5352ec8773"
    /// Refusals of callers without authentication that have no row of their own.
    case refusalsSummarised = "f64d5d74dffa462eb4b84c93978241fb"
    case cacheOpened = "5950c8e6f55404797791952c71383641"
    /// The cache's database can't be used: requests go on without it.
    case cacheUnavailable = "6cf35598073d96529c74df2aae93acd9"
    /// The cache's database was damaged and made anew.
    case cacheRenewed = "e838b23458e04d837aa9bba2dfe963fc"
    /// One request, settled.
    case request = "4ff329516bfb4bcfa3b4b3fc60aeec6d"
    /// One request that menshen refused.
    case requestRefused = "4424f0b0abad40439739c5ebb4b015fe"
    /// The beginning of one request, while the journal is the only audit device.
    case requestBegun = "2e89c49962294679af29d24f09d2b02c"

    package var messageID: String { rawValue }

    /// Syslog priority: 3 lost work, 4 somebody should act soon, 5 worth seeing once, 6 the usual.
    package var priority: Int {
        switch self {
        case .auditUnavailable: 2
        case .configurationBroken, .auditDegraded, .listenFailed: 3
        case .reloadFailed, .peerRefused, .authenticationDisabled, .keyUnavailable, .keyStale, .providerPaused,
            .databaseLost,
            .databaseTaken, .clockDoubted, .directoryExposed, .intentLogUnusable, .intentLogSetAside,
            .cacheUnavailable:
            4
        case .auditRecovered, .journalTakenOver, .journalUnreadable, .notJournalled, .refusalsSummarised,
            .requestRefused, .cacheRenewed:
            5
        case .started, .stopping, .stopped, .reloaded, .databaseOpened, .recordsExpired, .request, .requestBegun,
            .cacheOpened:
            6
        }
    }

    /// Fields every entry of the kind carries; the catalogue's text may name these and no others.
    package var fields: [String] {
        switch self {
        case .started: ["MENSHEN_VERSION", "MENSHEN_CONFIG", "MENSHEN_LISTENERS", "MENSHEN_DATABASE"]
        case .stopping: ["MENSHEN_IN_FLIGHT", "MENSHEN_DRAIN_SECONDS"]
        case .stopped: ["MENSHEN_REASON"]
        case .reloaded: ["MENSHEN_CONFIG"]
        case .reloadFailed, .configurationBroken: ["MENSHEN_CONFIG", "MENSHEN_FAULT"]
        case .auditDegraded: ["MENSHEN_DATABASE", "MENSHEN_REASON"]
        case .auditRecovered: ["MENSHEN_DATABASE"]
        case .notJournalled: ["MENSHEN_COUNT"]
        case .peerRefused: ["MENSHEN_CALLER_UID", "MENSHEN_CALLER_PID", "MENSHEN_LISTENER"]
        case .authenticationDisabled: ["MENSHEN_LISTENER"]
        case .keyUnavailable, .keyStale: ["MENSHEN_PROVIDER", "MENSHEN_REASON"]
        case .providerPaused: ["MENSHEN_PROVIDER", "MENSHEN_REASON", "MENSHEN_SECONDS"]
        case .listenFailed: ["MENSHEN_LISTENER", "MENSHEN_REASON"]
        case .databaseLost: ["MENSHEN_COUNT", "MENSHEN_DATABASE"]
        case .databaseOpened: ["MENSHEN_DATABASE"]
        case .databaseTaken: ["MENSHEN_DATABASE", "MENSHEN_COUNT"]
        case .clockDoubted: ["MENSHEN_DAYS"]
        case .intentLogUnusable: ["MENSHEN_PATH", "MENSHEN_REASON"]
        case .intentLogSetAside: ["MENSHEN_PATH"]
        case .directoryExposed: ["MENSHEN_DIRECTORY"]
        case .auditUnavailable: []
        case .journalTakenOver: ["MENSHEN_COUNT"]
        case .journalUnreadable: ["MENSHEN_COUNT", "MENSHEN_REASON"]
        case .recordsExpired: ["MENSHEN_COUNT", "MENSHEN_DAYS"]
        case .refusalsSummarised: ["MENSHEN_COUNT", "MENSHEN_REQUEST_ID"]
        case .cacheOpened: ["MENSHEN_CACHE", "MENSHEN_COUNT"]
        case .cacheUnavailable, .cacheRenewed: ["MENSHEN_CACHE", "MENSHEN_REASON"]
        case .request: ["MENSHEN_REQUEST_ID", "MENSHEN_STATUS", "MENSHEN_END_STATE"]
        case .requestRefused: ["MENSHEN_REQUEST_ID", "MENSHEN_STATUS", "MENSHEN_PROBLEM"]
        case .requestBegun: ["MENSHEN_REQUEST_ID"]
        }
    }
}
