// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Glibc
import Testing

@testable import MenshenCore

/// Windows of the calendar, by the zones of this machine and by rules alone.
struct LimitWindowTests {
    static func zone(_ name: String) throws -> ZoneRules {
        let file = try #require(fopen("/usr/share/zoneinfo/\(name)", "r"))
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = fread(&bytes, 1, bytes.count, file)
        return try #require(ZoneRules(Array(bytes[..<count]), name: name))
    }

    /// Seconds since 1970 of "2026-03-29 01:59:59" in UTC.
    static func time(_ text: String) throws -> Int64 {
        let parts = text.split { " -:".contains($0) }.compactMap { Int64($0) }
        try #require(parts.count == 6)
        return CivilDay(parts[0], parts[1], parts[2]).number * 86_400 + parts[3] * 3600 + parts[4] * 60 + parts[5]
    }

    struct Case: Sendable {
        let zone: String
        let window: Limit.Window
        let now: String
        let start: String
        let hours: Int64

        init(_ zone: String, _ window: Limit.Window, _ now: String, _ start: String, _ hours: Int64) {
            self.zone = zone
            self.window = window
            self.now = now
            self.start = start
            self.hours = hours
        }
    }

    /// Each line: a moment in UTC, and the window that it is in, with its length in hours.
    static let cases: [Case] = [
        // A day of 23 hours, and one of 25.
        Case("Europe/Berlin", .day, "2026-03-29 12:00:00", "2026-03-28 23:00:00", 23),
        Case("Europe/Berlin", .day, "2026-10-25 12:00:00", "2026-10-24 22:00:00", 25),
        Case("Europe/Berlin", .day, "2026-10-25 22:59:59", "2026-10-24 22:00:00", 25),
        Case("Europe/Berlin", .day, "2026-10-25 23:00:00", "2026-10-25 23:00:00", 24),
        // Months' ends.
        Case("Europe/Berlin", .month, "2026-02-28 22:59:59", "2026-01-31 23:00:00", 28 * 24),
        Case("Europe/Berlin", .month, "2026-02-28 23:00:00", "2026-02-28 23:00:00", 31 * 24 - 1),
        Case("America/New_York", .month, "2026-12-01 04:59:59", "2026-11-01 04:00:00", 30 * 24 + 1),
        Case("America/New_York", .month, "2026-12-01 05:00:00", "2026-12-01 05:00:00", 31 * 24),
        Case("Asia/Kolkata", .month, "2028-02-29 18:29:59", "2028-01-31 18:30:00", 29 * 24),
        Case("Asia/Kolkata", .month, "2028-02-29 18:30:00", "2028-02-29 18:30:00", 31 * 24),
        // Weeks begin on Monday.
        Case("America/New_York", .week, "2026-11-01 12:00:00", "2026-10-26 04:00:00", 7 * 24 + 1),
        Case("Asia/Kolkata", .week, "2026-11-29 18:29:59", "2026-11-22 18:30:00", 7 * 24),
        // Hours go by the clock: half past in India.
        Case("Asia/Kolkata", .hour, "2026-11-29 18:31:00", "2026-11-29 18:30:00", 1),
        // There is no midnight where clocks are turned then.
        Case("Africa/Cairo", .day, "2026-04-24 12:00:00", "2026-04-23 22:00:00", 23),
        Case("America/Havana", .day, "2026-03-08 12:00:00", "2026-03-08 05:00:00", 23),
        // Long after the last line of the zone's file.
        Case("Europe/Berlin", .day, "2091-03-25 12:00:00", "2091-03-24 23:00:00", 23),
        Case("Australia/Lord_Howe", .month, "2060-12-15 00:00:00", "2060-11-30 13:00:00", 31 * 24),
    ]

    @Test(arguments: cases) func `a window of the calendar is as long as clocks make it`(_ sample: Case) throws {
        let span = sample.window.span(at: try Self.time(sample.now), in: try Self.zone(sample.zone))
        let begin = try Self.time(sample.start)
        #expect(span == begin..<begin + sample.hours * 3600)
    }

    @Test func `half an hour that is turned back makes a window of half an hour`() throws {
        // At 2 o'clock on 5 April 2026 it is half past one again: 15:00 UTC.
        let zone = try Self.zone("Australia/Lord_Howe")
        let turn = try Self.time("2026-04-04 15:00:00")
        #expect(Limit.Window.hour.span(at: turn - 1, in: zone) == turn - 3600..<turn)
        #expect(Limit.Window.hour.span(at: turn, in: zone) == turn..<turn + 1800)
    }

    /// The clock is turned second by second where something happens, and hour by hour elsewhere.
    @Test(arguments: [
        "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Africa/Casablanca", "America/Sao_Paulo",
    ])
    func `windows follow one another without a gap, for ten years`(_ name: String) throws {
        let zone = name == "UTC" ? ZoneRules.utc : try Self.zone(name)
        let end = try Self.time("2036-01-01 00:00:00")
        for window in [Limit.Window.day, .week, .month] {
            var now = try Self.time("2026-01-15 12:00:00")
            while now < end {
                let span = window.span(at: now, in: zone)
                #expect(span.contains(now))
                #expect(window.span(at: span.upperBound - 1, in: zone) == span)
                #expect(window.span(at: span.upperBound, in: zone).lowerBound == span.upperBound)
                #expect(zone.local(span.lowerBound) >= zone.local(span.upperBound - 1) - 31 * 86_400)
                now = span.upperBound
            }
        }
    }

    /// `date` is the oracle, and with it the C library.
    @Test(arguments: ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "Africa/Casablanca"])
    func `offsets are those of the C library`(_ name: String) throws {
        let zone = try Self.zone(name)
        let first = try Self.time("1971-01-01 00:00:00")
        let end = try Self.time("2100-01-01 00:00:00")
        let command = "seq -f @%.0f \(first) 1077317 \(end) | TZ=\(name) date -f - '+%s %::z'"
        let pipe = try #require(popen(command, "r"))
        defer { pclose(pipe) }
        var line = [CChar](repeating: 0, count: 64)
        var count = 0
        while fgets(&line, 64, pipe) != nil {
            let text = String(decoding: line.prefix { $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let time = try #require(Int64(text.prefix { $0 != " " }))
            let parts = text.split(separator: " ")[1].dropFirst().split(separator: ":").compactMap { Int64($0) }
            let offset = (parts[0] * 60 + parts[1]) * 60 + parts[2]
            #expect(zone.stretch(at: time).offset == (text.contains("-") ? -offset : offset), "\(name) at \(time)")
            count += 1
        }
        #expect(count > 3000)
    }

    @Test func `a time is shown as its zone has it`() throws {
        let zone = try Self.zone("America/New_York")
        let time = try Self.time("2026-12-01 05:00:00")
        #expect(zone.text(time) == "2026-12-01 00:00 (America/New_York)")
        #expect(zone.stamp(time) == "2026-12-01T00:00:00-05:00")
        #expect(ZoneRules.utc.stamp(time) == "2026-12-01T05:00:00+00:00")
    }

    @Test func `days have the numbers that they have`() {
        for number: Int64 in stride(from: -200_000, to: 200_000, by: 37) {
            let day = CivilDay(number: number)
            #expect(day.number == number)
            #expect((1...12).contains(day.month) && (1...31).contains(day.day))
        }
        #expect(CivilDay(number: 0) == CivilDay(1970, 1, 1))
        #expect(CivilDay(2000, 2, 29).number == 11_016)
        #expect(CivilDay.weekday(0) == 3)
        #expect(CivilDay.weekday(-4) == 6)
    }

    @Test func `bytes that are no zone are none`() throws {
        let file = try #require(fopen("/usr/share/zoneinfo/Europe/Berlin", "r"))
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        bytes = Array(bytes[..<fread(&bytes, 1, bytes.count, file)])
        #expect(ZoneRules([], name: "x") == nil)
        for count in stride(from: 0, to: bytes.count - 40, by: 13) {
            #expect(ZoneRules(Array(bytes[..<count]), name: "x") == nil, "\(count)")
        }
        // Whatever a byte becomes, nothing breaks.
        for index in bytes.indices {
            var broken = bytes
            broken[index] ^= 0xFF
            if let zone = ZoneRules(broken, name: "x") {
                _ = Limit.Window.hour.span(at: 1_800_000_000, in: zone)
            }
        }
    }

    @Test(arguments: [
        "CET", "CET-", "CET-1CEST,M3.5.0", "CET-1CEST,M3.5.0,M10.5.0/3x", "CET-1CEST,M13.5.0,M10.5.0", "C-1", "<+03",
        "CET-200", "CET-1CEST,J0,J365", "CET-1:60",
    ]) func `a rule of another form is none`(_ text: String) {
        #expect(YearlyRule(ArraySlice(text.utf8)) == nil)
    }

    @Test func `summer may last all year`() throws {
        let rule = try #require(YearlyRule(ArraySlice("EST5EDT,0/0,J365/25".utf8)))
        for month: Int64 in 1...12 {
            #expect(rule.stretch(at: CivilDay(2030, month, 1).number * 86_400 + 18_000).offset == -4 * 3600)
        }
    }
}
