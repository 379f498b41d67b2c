// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Glibc

/// A moment as people of this machine's time zone write it.
package enum LocalTime {
    /// "2026-11-27 14:35:59" of wall microseconds.
    package static func text(_ microseconds: Int64) -> String { format(microseconds, "%Y-%m-%d %H:%M:%S") }

    /// The zone's name at that moment, such as "CET".
    package static func zone(_ microseconds: Int64) -> String { format(microseconds, "%Z") }

    private static func format(_ microseconds: Int64, _ pattern: String) -> String {
        var seconds = time_t(microseconds / 1_000_000)
        var parts = tm()
        localtime_r(&seconds, &parts)
        var text = [CChar](repeating: 0, count: 64)
        let count = strftime(&text, text.count, pattern, &parts)
        return String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
