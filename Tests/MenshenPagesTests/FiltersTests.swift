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
