// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import MenshenCore

/// How an intent log of one version is read. The file says by its first bytes which version it is of.
package protocol IntentCoding: Sendable {
    var magic: [UInt8] { get }
    /// No log of this version is longer; what is behind is not menshen's.
    var maximumBytes: Int { get }
    /// Intents in a log that have no record elsewhere, as far as the log knows.
    func leftovers(_ content: UnsafeRawBufferPointer) -> [AuditIntent]
}

/// The versions that are read. One that a menshen has written stays here for ever, as it is: a killed process's log is read by
/// whichever menshen starts next. What is written is of `IntentLog.Current`'s version.
package enum IntentCodings {
    package static let known: [any IntentCoding] = [IntentCoding2(), IntentCoding1()]
}
