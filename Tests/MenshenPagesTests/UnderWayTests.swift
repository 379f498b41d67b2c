// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import MenshenPages
import MenshenStore
import Testing

/// What goes on right now.
@Suite struct UnderWayTests {
    private func text(_ scene: PageScene, _ address: String = "/_menshen/ui/live") throws -> String {
        try scene.text(address).replacing("\u{202f}", with: " ")
    }

    @Test func `each request stands there with what has come, and the rate of it`() throws {
        let scene = try PageScene()
        let id = RequestID(microseconds: 1_795_786_568_000_000)
        scene.live.openCount = 3
        scene.live.underWay = [PageScene.underWay(id, "team-a"), LiveView.UnderWay(id: id, state: .queued, age: 900)]
        let page = try text(scene)
        #expect(page.contains("<tr id=\"r-\(id)\">") && page.contains("Streaming") && page.contains("Queued"))
        #expect(
            page.contains(">≥ 90<") && page.contains(">22.5<") && page.contains(">4.0 KiB<")
                && page.contains(">5.00 s<"))
        #expect(page.contains("1 more") && page.contains(">3 open</a>"))
        #expect(page.contains("data-changes=\"/_menshen/ui/changes\"") && page.contains(">Refresh</a>"))
        let data = try scene.text("/_menshen/ui/live.json")
        #expect(data.contains("\"state\":\"streaming\"") && data.contains("\"output_tokens_least\":90"))
        #expect(try scene.text("/_menshen/ui/live.csv").split(separator: "\r\n").count == 3)
    }

    @Test func `where nothing is under way it says so, and pages that nothing can change do not follow`() throws {
        let (scene, _) = try PageScene.full()
        (scene.live.openCount, scene.live.underWay) = (0, [])
        #expect(try text(scene).contains("Nothing is under way"))
        #expect(try text(scene, "/_menshen/ui/providers").contains("data-changes="))
        #expect(!(try text(scene, "/_menshen/ui/log").contains("data-changes=")))
    }

    @Test func `it needs no records`() throws {
        let scene = try PageScene()
        let request = PageRequest(path: ["live"], parameters: [], now: PageScene.now, zone: .utc)
        scene.live.underWay = [PageScene.underWay(RequestID(rawValue: 1 << 40), "team-a")]
        let answer = Dashboard.answer(request, scene.live, fault: StoreFault(reason: "Gone.", advice: "Look."))
        #expect(answer.status == 200 && String(decoding: answer.body, as: UTF8.self).contains("team-a"))
        #expect(Dashboard.listsUnderWay(["live"]) && Dashboard.listsUnderWay(["live.json"]))
        #expect(!Dashboard.listsUnderWay([]) && !Dashboard.listsUnderWay(["providers"]))
    }
}
