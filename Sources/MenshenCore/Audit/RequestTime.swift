// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

extension RequestID {
    /// When the request began, as RFC 3339 writes it: "2026-11-28T05:44:01.123456Z".
    package var began: String {
        let second = microseconds.floored(by: 1_000_000)
        let day = second.floored(by: CivilDay.seconds)
        let fraction = String(1_000_000 + microseconds - second * 1_000_000).dropFirst()
        return "\(CivilDay(number: day).text)T\(CivilDay.clock(second - day * CivilDay.seconds)).\(fraction)Z"
    }
}
