// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

struct PeriodsTests {
    /// 2026-11-27 13:36:08 UTC, a Friday.
    private let now: Int64 = 1_795_786_568
    private let day: Int64 = 86_400

    @Test func `moments are said as lengths, days and times`() {
        func moment(_ text: String) -> Int64? { Periods.moment(text, now: now, in: .utc) }
        #expect(moment("now") == now && moment("7d") == now / day * day - 7 * day && moment("90s") == now - 90)
        #expect(moment("today") == now / day * day && moment("yesterday") == now / day * day - day)
        #expect(moment("2026-11-27") == now / day * day)
        #expect(moment("2026-11-27T13:36") == now - 8 && moment("2026-11-27 13:36:08") == now)
        #expect(moment("1795786568") == now)
        for wrong in [
            "", "d", "0d", "-1d", "2026-13-01", "2026-11-31", "2026-11-27T25:00", "2026-11-27T1:00", "tomorrow", "7 d",
            "99999999999w", "9223372036854775807", "9000000000", "9999-01-01",
        ] {
            #expect(moment(wrong) == nil, "\(wrong)")
        }
        #expect(moment("24h") == now - day && moment("2w") == now / day * day - 14 * day)
    }

    @Test func `buckets of the calendar end now`() throws {
        let days = try #require(Periods.edges(of: .day, from: now - 6 * day, until: now, in: .utc))
        #expect(days.count == 8 && days.first == (now - 6 * day) / day * day && days.last == now)
        #expect(Periods.edges(of: .month, from: now, until: now + 1, in: .utc)?.count == 2)
        let halves = try #require(Periods.edges(every: 1800, from: now - 86_400, until: now, in: .utc))
        #expect(halves.count == 50 && halves.dropLast().allSatisfy { $0 % 1800 == 0 })
        let weeks = try #require(Periods.edges(every: 7 * day, from: now - 20 * day, until: now, in: .utc))
        #expect(weeks.count == 4 && zip(weeks, weeks.dropFirst()).dropLast().allSatisfy { $1 - $0 == 7 * day })
    }

    @Test func `what would be more buckets than a report has is none, rather than a last one with all the rest`() {
        let most = Int64(Periods.limit)
        let hour = now / 3600 * 3600
        #expect(Periods.edges(every: 3600, from: hour - most * 3600, until: hour, in: .utc)?.count == Periods.limit + 1)
        #expect(Periods.edges(every: 3600, from: hour - most * 3600, until: hour + 1, in: .utc) == nil)
        let today = now / day * day
        #expect(Periods.edges(of: .day, from: today - most * day, until: today, in: .utc)?.count == Periods.limit + 1)
        #expect(Periods.edges(of: .day, from: today - most * day, until: today + 1, in: .utc) == nil)
        // 20 years in steps of 30 days are few.
        let long = Periods.edges(every: 30 * day, from: today - 7300 * day, until: today, in: .utc)
        #expect(
            long?.count == 245
                && long.map { zip($0, $0.dropFirst()).dropLast().allSatisfy { $1 - $0 == 30 * day } } == true)
    }

    @Test(arguments: [
        // Clocks were turned back on 25 October, and forward on 29 March.
        ("2026-10-25 12:00:00", "2026-10-23 22:00:00", 23), ("2026-10-26 11:00:00", "2026-10-24 22:00:00", 25),
        ("2026-10-27 11:00:00", "2026-10-25 23:00:00", 24), ("2026-03-29 10:00:00", "2026-03-27 23:00:00", 25),
        ("2026-03-30 10:00:00", "2026-03-28 23:00:00", 23),
    ])
    func `yesterday is a day of the calendar, also where clocks were turned`(
        now: String, midnight: String, ago: Int64
    ) throws {
        let berlin = try LimitWindowTests.zone("Europe/Berlin")
        let (now, midnight) = (try LimitWindowTests.time(now), try LimitWindowTests.time(midnight))
        #expect(Periods.moment("yesterday", now: now, in: berlin) == midnight)
        #expect(Periods.moment("1d", now: now, in: berlin) == midnight)
        let sameTime = Periods.time(-1, after: now, in: berlin)
        #expect(ZonedTime(sameTime, in: berlin).clock == ZonedTime(now, in: berlin).clock)
        #expect(Periods.time(1, after: sameTime, in: berlin) == now)
    }

    @Test func `a step is the smallest that makes few buckets`() {
        #expect(Periods.step(for: 3600) == 60)
        #expect(Periods.step(for: 7 * day) == 4 * 3600)
        #expect(Periods.step(for: 90 * day) == 7 * day)
        #expect(Periods.step(for: 3000 * day) == 30 * day)
    }

    @Test func `a moment is said as clocks show it`() {
        let time = ZonedTime(now, in: .utc)
        #expect(time.date == "27 November 2026" && time.dayLabel == "Fri 27" && time.clockWithSeconds == "13:36:08")
        #expect(time.offsetName == "UTC" && time.isoDate == "2026-11-27")
        #expect(ZonedTime.range(ZonedTime(now - 6 * day, in: .utc), time) == "21 – 27 November 2026")
        #expect(ZonedTime.range(ZonedTime(now - 30 * day, in: .utc), time) == "28 October – 27 November 2026")
        #expect(ZonedTime.range(time, time) == "27 November 2026")
    }
}
