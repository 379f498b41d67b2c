// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenUpstream

extension HeaderSink {
    /// `start` ends with the separator: "Name: ".
    func addHeader(_ start: StaticString, _ secret: Secret) { secret.withBytes { addHeader(start, $0) } }

    func addHeader(name: String, _ secret: Secret) { secret.withBytes { addHeader(name: name, $0) } }
}
