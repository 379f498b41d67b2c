// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import MenshenPages
import Testing

@Suite struct DashboardTests {
    private func attributes(_ name: String, in text: String) -> [String] {
        text.split(separator: " \(name)=\"").dropFirst().map { String($0.prefix { $0 != "\"" }) }
            .map { $0.replacing("&amp;", with: "&").replacing("&#39;", with: "'") }
    }

    @Test func `no name becomes markup, on any page`() throws {
        let (scene, id) = try PageScene.full(hostile: true)
        for address in PageScene.addresses(id, PageScene.hostile) {
            let answer = try scene.page(address)
            let text = String(decoding: answer.body, as: UTF8.self)
            #expect(answer.status == 200, "\(address)")
            #expect(!text.contains("<img"), "\(address)")
            #expect(!text.contains("<script>"), "\(address)")
            #expect(!text.contains("\u{202e}") && !text.contains("\u{1b}"), "\(address)")
            // Within an attribute the name's quote would have to be one.
            #expect(!text.contains("=alert(1)>"), "\(address)")
        }
    }

    @Test func `pages have no style and no script of their own, so that the strict policy holds`() throws {
        let (scene, id) = try PageScene.full()
        for address in PageScene.addresses(id, "team-a") {
            let text = try scene.text(address)
            #expect(!text.contains(" style=") && !text.contains("<style"), "\(address)")
            #expect(text.split(separator: "<script").count == 2, "\(address)")
            for part in text.split(separator: "<") {
                let tag = part.prefix { $0 != ">" }
                #expect(!tag.split(separator: " ").contains { $0.hasPrefix("on") && $0.contains("=") }, "\(tag)")
            }
        }
    }

    @Test func `every link of every page leads to a page`() throws {
        for (scene, id, name) in [try PageScene.full(), try PageScene.full(hostile: true)].enumerated().map({
            ($0.element.scene, $0.element.id, $0.offset == 0 ? "team-a" : PageScene.hostile)
        }) {
            var seen: Set<String> = []
            for address in PageScene.addresses(id, name) {
                for link in attributes("href", in: try scene.text(address))
                where link.hasPrefix("/") && seen.count < 400 && seen.insert(link).inserted {
                    #expect(try scene.page(link).status == 200, "\(link) on \(address)")
                }
            }
            #expect(seen.count > 50)
        }
    }

    @Test func `a page is under 100 KB`() throws {
        let (scene, id) = try PageScene.full()
        for index in 0..<600 {
            try scene.add(
                secondsAgo: Int64(index * 1000),
                ["model": "model-with-a-long-name-\(index % 40)", "session": "s-\(index)"], place: 3)
        }
        for address in PageScene.addresses(id, "team-a") {
            let size = try scene.page(address).body.count
            #expect(size < 100_000, "\(address): \(size)")
        }
    }

    @Test func `every element that is opened is closed`() throws {
        let (scene, id) = try PageScene.full()
        for address in PageScene.addresses(id, "team-a") {
            let text = try scene.text(address)
            for element in [
                "div", "section", "table", "tr", "ul", "ol", "dl", "svg", "figure", "form", "nav", "a", "span", "tbody",
                "p",
            ] {
                func count(_ tag: String) -> Int { text.ranges(of: tag).count }
                #expect(
                    count("<\(element) ") + count("<\(element)>") == count("</\(element)>"), "\(element) on \(address)")
            }
        }
    }

    @Test func `an id is given once on a page`() throws {
        let (scene, id) = try PageScene.full()
        for address in PageScene.addresses(id, "team-a") {
            let ids = attributes("id", in: try scene.text(address))
            #expect(Set(ids).count == ids.count, "\(address): \(ids)")
        }
    }

    @Test func `what a page does not know is no page, and a slip is named`() throws {
        let (scene, _) = try PageScene.full()
        #expect(try scene.page("/_menshen/ui/usge").status == 404)
        #expect(try scene.text("/_menshen/ui/usge").contains("Usage"))
        #expect(try scene.page("/_menshen/ui/log?calller=ci").status == 400)
        #expect(try scene.text("/_menshen/ui/log?calller=ci").contains("Did you mean “caller”?"))
        #expect(try scene.page("/_menshen/ui/usage?by=modell").status == 400)
        #expect(try scene.page("/_menshen/ui/log?since=yesterday&until=2020-01-01").status == 400)
        #expect(try scene.page("/_menshen/ui/log?period=5d").status == 400)
        #expect(try scene.page("/_menshen/ui/requests/0000000000000").status == 404)
        #expect(try scene.page("/_menshen/ui/requests/nonsense").status == 404)
        #expect(try scene.page("/_menshen/ui/sessions/none").status == 404)
        #expect(try scene.page("/_menshen/ui/tokens/none").status == 404)
    }

    @Test func `what is not known is never nothing`() throws {
        let scene = try PageScene()
        let unknown: [String: Any?] = [
            "usage_state": "unknown", "input_total": nil, "output_total": nil, "cost": nil, "cost_state": nil,
        ]
        let id = try scene.add(secondsAgo: 10, unknown)
        let log = try scene.text("/_menshen/ui/log")
        #expect(log.contains(">?</span>"))
        #expect(!log.contains("$0"))
        #expect(try scene.text("/_menshen/ui/requests/\(id)").contains("<dt>Tokens in</dt><dd>?</dd>"))
        #expect(try scene.text("/_menshen/ui/usage").contains("Usage was not reported"))
        try scene.add(secondsAgo: 20)
        #expect(try scene.text("/_menshen/ui/usage").contains("≥ </span>$0.01"))
    }

    @Test func `what caches saved is told where one was in use, the provider's and menshen's own apart`() throws {
        let scene = try PageScene()
        try scene.add(secondsAgo: 60)
        #expect(try !scene.text("/").contains("Saved by caches"))
        try scene.add(secondsAgo: 70, ["cache_read": 900, "saved": 1_500_000_000_000])
        try scene.add(secondsAgo: 80, ["cache": "hit", "saved": 300_000_000_000, "cost": 0, "cost_state": "none"])
        let known = try scene.text("/")
        for part in [">$1.80<", "$1.50 at providers", "$0.30 own, 1 hit"] { #expect(known.contains(part), "\(part)") }
        try scene.add(secondsAgo: 90, ["cache_read": 900])
        #expect(try scene.text("/").contains("≥ </span>$1.80"))
    }

    @Test func `what may be missing in sums is told beside them`() throws {
        let scene = try PageScene()
        try scene.add(secondsAgo: 60)
        for path in ["/", "/_menshen/ui/usage"] { #expect(try !scene.text(path).contains("may be missing")) }
        try scene.execute(
            "INSERT INTO gaps VALUES (\((PageScene.now - 900) * 1_000_000), \((PageScene.now - 600) * 1_000_000), 38, 'disk <full>')"
        )
        for path in ["/", "/_menshen/ui/usage"] {
            let text = try scene.text(path)
            #expect(
                text.contains("38 requests may be missing in these sums") && text.contains("disk &lt;full&gt;"),
                "\(path)")
        }
    }

    @Test func `only a session that may change something sees the forms for it`() throws {
        let (scene, id) = try PageScene.full()
        let forms = ["/_menshen/ui/new-token", "/_menshen/ui/tokens/team-a/edit"]
        for address in PageScene.addresses(id, PageScene.hostile) + ["/_menshen/ui/tokens/team-a"] + forms {
            let text = String(decoding: try scene.page(address).body, as: UTF8.self)
            #expect(
                !text.contains("method=\"post\"") && !text.contains("href=\"/_menshen/ui/new-token\""), "\(address)")
        }
        for address in forms { #expect(try scene.page(address).status == 403) }
        for address in forms + ["/_menshen/ui/tokens/team-a"] {
            let page = try scene.page(address, formToken: "f0rm\"><img")
            let text = String(decoding: page.body, as: UTF8.self)
            #expect(page.status == 200 && text.contains("name=\"form\" value=\"f0rm&quot;&gt;&lt;img\""), "\(address)")
        }
        #expect(
            String(decoding: try scene.page("/_menshen/ui/tokens", formToken: "f").body, as: UTF8.self).contains(
                "New token"))
        #expect(try scene.page("/_menshen/ui/tokens/none/edit", formToken: "f").status == 404)
    }

    @Test func `a form shows what a token may, and what it sends back is the same`() throws {
        let (scene, _) = try PageScene.full()
        func page(_ change: (inout TokenTerms) -> Void) throws -> String {
            var terms = TokenTerms()
            change(&terms)
            scene.live.tokens = [
                GivenToken(
                    id: 9, name: "new", created: PageScene.now, createdBy: "uid 1", revokedAt: nil, terms: terms,
                    graceUntil: nil)
            ]
            return String(decoding: try scene.page("/_menshen/ui/tokens/new/edit", formToken: "f").body, as: UTF8.self)
        }
        let text = try page {
            $0.providers = ["gone"]
            $0.models = ["gpt-*", "o3"]
            $0.limits = ["5usd/day"]
            $0.expires = 1_798_761_600
            $0.note = "a \"note\""
        }
        // One that the configuration has no more stays: without it the token would be for any.
        #expect(text.contains("value=\"gone\" checked"))
        #expect(text.contains("name=\"models\" value=\"gpt-*, o3\""))
        #expect(text.contains("name=\"expires\" value=\"2027-01-01T00:00:00Z\""))
        #expect(text.contains("value=\"a &quot;note&quot;\""))
        for change: (inout TokenTerms) -> Void in [
            { $0.models = ["a,b"] }, { $0.paths = [" /v1"] }, { $0.note = "\u{202e}x" },
        ] {
            #expect(try page(change).contains("menshen token edit"))
        }
    }

    @Test func `forms are read as the members of a request about tokens`() {
        let members = TokenForms.members([
            ("providers", "a,b"), ("providers", "c"), ("limits", " 5usd/day, 9requests/hour ,"), ("note", " x "),
        ])
        #expect(members.first { $0.name == "providers" }?.value == .list(["a,b", "c"]))
        #expect(members.first { $0.name == "limits" }?.value == .list(["5usd/day", "9requests/hour"]))
        #expect(members.first { $0.name == "note" }?.value == .text("x"))
        #expect(members.first { $0.name == "expires" }?.value == .text(""))
    }

    @Test func `style sheet and script have addresses of their content, to be kept for a year`() throws {
        let scene = try PageScene()
        let text = try scene.text("/")
        for path in attributes("href", in: text).filter({ $0.hasSuffix(".css") }) + attributes("src", in: text) {
            let answer = try scene.page(path)
            #expect(answer.status == 200 && answer.body.count > 500)
            #expect(answer.fields.contains { $0.name == "Cache-Control" && $0.value.contains("31536000") })
        }
        #expect(try scene.page("/_menshen/ui/assets/menshen.0.css").status == 404)
    }

    @Test func `without a request the overview says how to send one`() throws {
        #expect(try PageScene().text("/").contains("Send the first request"))
    }

    @Test func `without records there is still the page of this menshen`() throws {
        let scene = try PageScene()
        let fault = StoreFault(reason: "the disk failed", advice: "Look at the disk.")
        func answer(_ path: [String]) -> PageAnswer {
            let request = PageRequest(path: path, parameters: [], now: PageScene.now, zone: .utc)
            return Dashboard.answer(request, scene.live, fault: fault)
        }
        #expect(answer(["system"]).status == 200)
        let overview = answer([])
        #expect(overview.status == 503)
        #expect(String(decoding: overview.body, as: UTF8.self).contains("the disk failed"))
    }

    @Test func `pages that stand alone name nobody but the owner, and take hostile names`() {
        let name = PageScene.hostile
        let answers = [
            LonePages.open(host: name, user: name, version: "1", action: "/open/x"),
            LonePages.used(host: name, version: "1"), LonePages.noSession(version: "1"),
            LonePages.refused(status: 429, message: name, signIn: name),
            LonePages.fault(status: 503, title: name, message: name, version: "1"),
            LonePages.created(name: name, token: "mns_x", isRotated: true, version: "1"),
            LonePages.notDone(status: 409, message: name, mend: name, version: "1"),
        ]
        for answer in answers { #expect(!String(decoding: answer.body, as: UTF8.self).contains("<img")) }
        #expect(answers.map(\.status) == [200, 410, 401, 429, 503, 200, 409])
    }

    @Test func `a session is active while a request of it is under way, and for a day at most`() throws {
        let scene = try PageScene()
        for (seconds, session, state) in [(10, "going", "open"), (9, "gone", "complete"), (90_000, "stale", "open")] {
            try scene.add(
                secondsAgo: Int64(seconds), ["session": session, "end_state": state, "status": nil as Int?])
        }
        for (session, isActive) in [("going", true), ("gone", false), ("stale", false)] {
            let text = try scene.text("/_menshen/ui/sessions/\(session)")
            #expect(text.contains(">Active<") == isActive && text.contains(">Over<") != isActive, "\(session)")
        }
        let list = try scene.text("/_menshen/ui/sessions?period=7d")
        #expect(list.split(separator: ">Active<").count == 2 && list.split(separator: ">Over<").count == 3)
    }

    @Test func `a comparison is left out where records do not go back`() throws {
        let scene = try PageScene()
        try scene.add(secondsAgo: 10)
        try scene.add(secondsAgo: 8 * 86_400)
        #expect(!(try scene.text("/").contains("against the week before")))
        try scene.add(secondsAgo: 20 * 86_400)
        let text = try scene.text("/")
        #expect(text.contains("against the week before") && text.contains("<span class=\"delta\">"))
    }
}
