// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Hours of the week, in UTC: "Mon-Fri 01:00-04:00,06:00-10:00", "Sat,Sun 00:00-24:00", "00:30-16:30". Hours that end before
/// they begin go on into the next day, and belong to the day on which they began.
package struct PriceWindow: Sendable, Equatable, CustomStringConvertible {
    private static let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]

    package let description: String
    private var days = [Bool](repeating: true, count: 7)
    /// In minutes of the day.
    private var hours: [(begin: Int, end: Int)] = []

    package init?(_ text: String) {
        description = text
        var parts = text.split(separator: " ", omittingEmptySubsequences: false)
        guard let last = parts.popLast(), parts.count < 2 else { return nil }
        for part in last.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map(Self.minute)
            guard ends.count == 2, let begin = ends[0], let end = ends[1], begin != end, begin < 1440 else {
                return nil
            }
            hours.append((begin, end))
        }
        guard let named = parts.first else { return }
        days = [Bool](repeating: false, count: 7)
        for part in named.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false)
                .map { name in Self.names.firstIndex { $0 == name } }
            guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1] else { return nil }
            var day = first
            days[day] = true
            while day != last {
                day = (day + 1) % 7
                days[day] = true
            }
        }
    }

    private static func minute(_ text: Substring) -> Int? {
        let parts = text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.count == 2 && $0.allSatisfy { (48...57).contains($0) } }),
            let hour = Int(String(decoding: parts[0], as: UTF8.self)),
            let minute = Int(String(decoding: parts[1], as: UTF8.self)), minute < 60, hour * 60 + minute <= 1440
        else { return nil }
        return hour * 60 + minute
    }

    /// Seconds since 1970.
    func contains(_ seconds: Int64) -> Bool {
        let date = PriceDate(seconds: seconds)
        let minute = Int(seconds - date.seconds) / 60
        let (today, yesterday) = (days[date.weekday], days[(date.weekday + 6) % 7])
        return hours.contains { hour in
            if hour.begin < hour.end { return today && (hour.begin..<hour.end).contains(minute) }
            return today && minute >= hour.begin || yesterday && minute < hour.end
        }
    }

    package static func == (one: PriceWindow, other: PriceWindow) -> Bool { one.description == other.description }
}
