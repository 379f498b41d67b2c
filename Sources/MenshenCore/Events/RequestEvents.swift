// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// One request each, or several that have no entry of their own. Their messages and further fields are made of the
/// record, where it is written.
extension EventKind {
    static let requests: [EventKind] = [
        .request, .requestRefused, .requestBegun, .refusalsSummarised, .notJournalled,
    ]

    /// One request, settled.
    package static let request = EventKind(
        "4ff329516bfb4bcfa3b4b3fc60aeec6d", priority: 6, ["MENSHEN_REQUEST_ID", "MENSHEN_STATUS", "MENSHEN_END_STATE"])

    /// One request that menshen refused.
    package static let requestRefused = EventKind(
        "4424f0b0abad40439739c5ebb4b015fe", priority: 5, ["MENSHEN_REQUEST_ID", "MENSHEN_STATUS", "MENSHEN_PROBLEM"])

    /// The beginning of one request, while the journal is the only audit device.
    package static let requestBegun = EventKind(
        "2e89c49962294679af29d24f09d2b02c", priority: 6, ["MENSHEN_REQUEST_ID"])

    /// Refusals of callers without authentication that have no row of their own.
    package static let refusalsSummarised = EventKind(
        "f64d5d74dffa462eb4b84c93978241fb", priority: 5, ["MENSHEN_COUNT", "MENSHEN_REQUEST_ID"])

    /// Request entries left out of the journal because they came too fast; they are in the database.
    package static let notJournalled = EventKind(
        "c9551804d6da4cd7b36dd865e1446ea5", priority: 5, ["MENSHEN_COUNT"])
}
