// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import MenshenPages
import Testing

/// Filters, paging and the other formats.
@Suite struct FiltersTests {
    private func ids(_ csv: String) -> [String] {
        csv.split(separator: "\r\n").dropFirst().map { String($0.prefix { $0 != "," }) }
    }

    @Test func `a log can be gone through in both directions, and nothing is skipped or shown twice`() throws {
        let scene = try PageScene()
        var made: [String] = []
        for index in 0..<130 { made.append(try scene.add(secondsAgo: Int64(index * 30)).description) }
        var address = "/_menshen/ui/log"
        var seen: [[String]] = []
        for _ in 0..<3 {
            seen.append(ids(try scene.text(address.replacing("/log", with: "/log.csv"))))
            let text = try scene.text(address)
            guard let older = text.split(separator: "rel=\"next\" href=\"").dropFirst().first else { break }
            address = String(older.prefix { $0 != "\"" }).replacing("&amp;", with: "&")
        }
        #expect(seen.flatMap(\.self) == made)
        let newer = try #require(try scene.text(address).split(separator: "rel=\"prev\" href=\"").dropFirst().first)
        let back = String(newer.prefix { $0 != "\"" }).replacing("&amp;", with: "&")
        #expect(ids(try scene.text(back.replacing("/log", with: "/log.csv"))) == seen[1])
    }

    @Test func `filters survive in links, and a chip takes one away`() throws {
        let (scene, _) = try PageScene.full()
        let text = try scene.text("/_menshen/ui/usage?caller=ci&model=claude-*&period=24h")
        #expect(text.contains("/_menshen/ui/usage?caller=ci&amp;model=claude-*&amp;period=30d"))
        #expect(
            text.contains(
                "href=\"/_menshen/ui/usage?model=claude-*&amp;period=24h\" aria-label=\"Remove the filter Caller ci\""))
        #expect(text.contains("/_menshen/ui/usage?caller=ci&amp;model=claude-*&amp;period=24h&amp;by=provider"))
        #expect(!text.contains("gpt-6"))
        let log = try scene.text("/_menshen/ui/log?session=s-1&client=codex")
        #expect(log.contains("<input type=\"hidden\" name=\"session\" value=\"s-1\">"))
        #expect(log.contains("<option value=\"codex\" selected>"))
    }

    @Test func `what failed, and what has no price, can be asked for`() throws {
        let scene = try PageScene()
        try scene.add(secondsAgo: 10)
        let failed = try scene.add(secondsAgo: 20, ["status": 500]).description
        let unpriced = try scene.add(secondsAgo: 30, ["cost": nil, "cost_state": "unpriced"]).description
        let nobody = try scene.add(secondsAgo: 40, ["token_name": nil]).description
        #expect(ids(try scene.text("/_menshen/ui/log.csv?outcome=failed")) == [failed])
        #expect(ids(try scene.text("/_menshen/ui/log.csv?outcome=unpriced")) == [unpriced])
        #expect(ids(try scene.text("/_menshen/ui/log.csv?caller=(none)")) == [nobody])
        #expect(ids(try scene.text("/_menshen/ui/log.csv?status=5xx")) == [failed])
        // Values of one filter are alternatives.
        let refused = try scene.add(secondsAgo: 50, ["end_state": "refused", "status": 403]).description
        let left = try scene.add(secondsAgo: 60, ["end_state": "client_gone"]).description
        #expect(
            ids(try scene.text("/_menshen/ui/log.csv?outcome=failed&outcome=unpriced")) == [failed, unpriced, refused])
        #expect(
            ids(try scene.text("/_menshen/ui/log.csv?outcome=failed&outcome=client_gone")) == [failed, refused, left])
        #expect(ids(try scene.text("/_menshen/ui/log.csv?outcome=refused&outcome=client_gone")) == [refused, left])
        let sums = try scene.text("/_menshen/ui/usage.csv?outcome=failed&outcome=client_gone&by=outcome")
        #expect(Set(ids(sums)) == ["complete", "refused", "client_gone"])
    }

    @Test func `a filter that no request can fit is told`() throws {
        let scene = try PageScene()
        try scene.add(secondsAgo: 10)
        for (query, part) in [("status=4x", "4xx"), ("outcome=failde", "‘failed’")] {
            for page in ["log", "usage", "overview"] {
                let answer = try scene.page("/_menshen/ui/\(page)?\(query)")
                let text = String(decoding: answer.body, as: UTF8.self)
                #expect(answer.status == 400 && (text.contains(part) || text.contains("failed")), "\(page) \(query)")
            }
        }
        for query in ["status=(none)", "status=2*", "outcome=open&outcome=unpriced", "outcome=(none)"] {
            #expect(try scene.page("/_menshen/ui/log?\(query)").status == 200, "\(query)")
        }
    }

    @Test func `a sum in which something was priced at nothing is no sum without prices`() throws {
        let scene = try PageScene()
        try scene.add(secondsAgo: 10, ["cost": 0, "model": "local"])
        try scene.add(secondsAgo: 20, ["cost": nil, "cost_state": "unpriced", "model": "local"])
        let text = try scene.text("/_menshen/ui/usage?by=model")
        #expect(text.contains("≥ </span>$0") && !text.contains(">unpriced</span>"))
    }

    @Test func `a period of years has the buckets it says, and one that is too long is refused`() throws {
        let scene = try PageScene()
        try scene.add(secondsAgo: 10)
        let rows = try scene.text("/_menshen/ui/overview.csv?since=2008-01-01").split(separator: "\r\n").dropFirst()
        #expect(rows.count > 200 && rows.count < 250)
        #expect(try scene.page("/_menshen/ui/overview?since=2001-01-01").status == 400)
    }

    @Test func `the day before is one of the calendar, also where clocks were turned`() throws {
        let scene = try PageScene()
        scene.zone = try PageScene.zone("Europe/Berlin")
        // 26 October 2026, 10:00 there, and twice the day before at 00:10, when clocks were turned back later.
        let (now, before): (Int64, Int64) = (1_793_005_200, 1_792_879_800)
        try scene.add(secondsAgo: PageScene.now - now)
        for place in 0..<2 { try scene.add(secondsAgo: PageScene.now - before, place: Int64(place)) }
        let text = try scene.text("/_menshen/ui/overview?since=2026-10-26&until=2026-10-27")
        #expect(text.contains("▼ 50%"))
    }

    @Test func `a page as CSV and as JSON has what it shows, exactly`() throws {
        let scene = try PageScene()
        try scene.add(secondsAgo: 10, ["model": "=1+1\",\n", "cost": 63_812_345_678])
        let csv = try scene.text("/_menshen/ui/usage.csv")
        #expect(csv.contains("\r\n\"'=1+1\"\",\\u000a\",1,0,1000,100,0.063812345678,0,"))
        let json = try scene.text("/_menshen/ui/usage.json")
        #expect(
            json.hasPrefix(
                "{\"schema\":\"menshen.page.v1\",\"page\":\"usage\",\"usage\":[{\"model\":\"=1+1\\\",\\n\",\"requests\":1"
            ))
        #expect(json.contains("\"cost\":\"0.063812345678\""))
        for page in ["overview", "log", "sessions", "tokens", "providers", "system"] {
            let answer = try scene.page("/_menshen/ui/\(page).json")
            #expect(answer.status == 200 && answer.contentType == "application/json", "\(page)")
            #expect(try scene.page("/_menshen/ui/\(page).csv").contentType == "text/csv; charset=utf-8", "\(page)")
        }
    }

    @Test func `bucket sums of the overview are those of its requests`() throws {
        let scene = try PageScene()
        for index in 0..<200 { try scene.add(secondsAgo: Int64(index * 2900)) }
        let rows = try scene.text("/_menshen/ui/overview.csv?period=7d").split(separator: "\r\n").dropFirst()
        #expect(rows.count == 42)
        #expect(rows.compactMap { Int($0.split(separator: ",")[2]) }.reduce(0, +) == 200)
    }

    @Test func `a kept body is a download that no browser runs`() throws {
        let scene = try PageScene()
        let id = try scene.add(secondsAgo: 10)
        #expect(try scene.page("/_menshen/ui/requests/\(id)?body=request").contentType.hasPrefix("text/html"))
        #expect(try scene.text("/_menshen/ui/requests/\(id)").contains("Not kept."))
    }
}
