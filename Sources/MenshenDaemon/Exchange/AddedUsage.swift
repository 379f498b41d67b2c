// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// Whether `stream_options` was put into the body of a chat stream, so that the provider says what it has used. The caller has
/// not asked for that, and must not notice.
enum AddedUsage {
    case notAdded
    case added
    /// The provider has refused a request that had it, and is asked without.
    case withdrawn

    /// Whether it is put in. A provider that may still refuse the field gets the body a second time, without it. `hasPlace`:
    /// the body is a chat stream's that does not ask for it by itself.
    mutating func decide(_ provider: Provider, _ state: ProviderState, _ model: String?, hasPlace: Bool) -> Bool {
        let isPutIn =
            hasPlace && provider.addedUsage.isAsked && self != .withdrawn && !state.refusesUsage(of: model)
        if isPutIn {
            self = .added
        } else if self == .added {
            self = .notAdded
        }
        return isPutIn
    }

    /// The field may be the cause of such an answer.
    func mayCause(_ status: Int) -> Bool { self == .added && (status == 400 || status == 422) }

    /// The provider took the request without the field. Another refusal, 429 or 500, would say nothing of it.
    func wasRefused(_ status: Int) -> Bool { self == .withdrawn && 200..<300 ~= status }
}
