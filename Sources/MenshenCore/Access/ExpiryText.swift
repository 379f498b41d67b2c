// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// When something ends, as people write it: "30d" from now, "2026-12-31" (the end of that day), "2026-12-31T18:00:00Z". Days and
/// hours are those of UTC, which is the same for whoever gives a token out and for whoever gets it.
package enum ExpiryText {
    /// Seconds since 1970; nil for a text of another form.
    package static func parse(_ text: String, now: Int64) -> Int64? {
        if let time = DurationText.parse(text) {
            let seconds = time.components.seconds
            return seconds > 0 ? now + seconds : nil
        }
        let bytes = Array(text.utf8)
        guard bytes.count == 10 || bytes.count == 20, let day = CivilDay(bytes[..<10]) else { return nil }
        if bytes.count == 10 { return day.time(24, 0, 0) }
        guard bytes[10] == UInt8(ascii: "T"), bytes[19] == UInt8(ascii: "Z"), bytes[13] == UInt8(ascii: ":"),
            bytes[16] == UInt8(ascii: ":"), let hour = number(bytes[11..<13]), let minute = number(bytes[14..<16]),
            let second = number(bytes[17..<19]), hour < 24, minute < 60, second < 60
        else { return nil }
        return day.time(hour, minute, second)
    }

    /// "2026-12-31 18:00:00 UTC"
    package static func written(_ seconds: Int64) -> String {
        let (day, clock) = parts(seconds)
        return "\(day) \(clock) UTC"
    }

    /// The same as `parse` takes it: "2026-12-31T18:00:00Z".
    package static func typed(_ seconds: Int64) -> String {
        let (day, clock) = parts(seconds)
        return "\(day)T\(clock)Z"
    }

    private static func parts(_ seconds: Int64) -> (day: String, clock: String) {
        let number = seconds.floored(by: CivilDay.seconds)
        return (CivilDay(number: number).text, CivilDay.clock(seconds - number * CivilDay.seconds))
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
        guard digits.allSatisfy({ 48...57 ~= $0 }) else { return nil }
        return Int64(String(decoding: digits, as: UTF8.self))
    }
}
