// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// When something ends, as people write it: "30d" from now, "2026-12-31" (the end of that day), "2026-12-31T18:00:00Z". Days and
/// hours are those of UTC, which is the same for whoever gives a token out and for whoever gets it.
package enum ExpiryText {
    private static let day: Int64 = 86_400

    /// Seconds since 1970; nil for a text of another form.
    package static func parse(_ text: String, now: Int64) -> Int64? {
        if let time = DurationText.parse(text) {
            let seconds = time.components.seconds
            return seconds > 0 ? now + seconds : nil
        }
        let bytes = Array(text.utf8)
        guard bytes.count == 10 || bytes.count == 20, let date = seconds(bytes[..<10]) else { return nil }
        if bytes.count == 10 { return date + day }
        guard bytes[10] == UInt8(ascii: "T"), bytes[19] == UInt8(ascii: "Z"), bytes[13] == UInt8(ascii: ":"),
            bytes[16] == UInt8(ascii: ":"), let hour = number(bytes[11..<13]), let minute = number(bytes[14..<16]),
            let second = number(bytes[17..<19]), hour < 24, minute < 60, second < 60
        else { return nil }
        return date + hour * 3600 + minute * 60 + second
    }

    /// "2026-12-31 18:00:00 UTC"
    package static func written(_ seconds: Int64) -> String {
        let (year, month, date) = civil(seconds >= 0 ? seconds / day : (seconds - day + 1) / day)
        let rest = (seconds % day + day) % day
        let clock = [rest / 3600, rest / 60 % 60, rest % 60].map(two).joined(separator: ":")
        return "\(year)-\(two(month))-\(two(date)) \(clock) UTC"
    }

    /// The beginning of a day written as "2026-12-31".
    private static func seconds(_ text: ArraySlice<UInt8>) -> Int64? {
        let parts = text.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].count == 4, parts[1].count == 2, parts[2].count == 2,
            let year = number(parts[0]), let month = number(parts[1]), let date = number(parts[2]),
            1...12 ~= month, year >= 1970
        else { return nil }
        // Years begin in March here, so that the leap day is a year's last.
        let shifted = month <= 2 ? year - 1 : year
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + date - 1
        let days = 365 * shifted + shifted / 4 - shifted / 100 + shifted / 400 + dayOfYear - 719_468
        // The 31st of a month of 30 days would be another day.
        guard civil(days) == (year, month, date) else { return nil }
        return days * day
    }

    /// Of days since 1970. 400 years have 146,097 days.
    private static func civil(_ days: Int64) -> (year: Int64, month: Int64, date: Int64) {
        let sinceMarch = days + 719_468
        let era = (sinceMarch >= 0 ? sinceMarch : sinceMarch - 146_096) / 146_097
        let dayOfEra = sinceMarch - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let date = dayOfYear - (153 * month + 2) / 5 + 1
        return (era * 400 + yearOfEra + (month >= 10 ? 1 : 0), month < 10 ? month + 3 : month - 9, date)
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
        guard digits.allSatisfy({ 48...57 ~= $0 }) else { return nil }
        return Int64(String(decoding: digits, as: UTF8.self))
    }

    private static func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
