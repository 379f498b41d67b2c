// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

/// The limits that providers state, from their answers to the pages.
struct HeadroomTests {
    private static let fields = [
        "x-ratelimit-limit-requests: 60", "x-ratelimit-remaining-requests: 59", "x-ratelimit-reset-requests: 1h",
        "anthropic-ratelimit-unified-5h-utilization: 0.2345", "anthropic-ratelimit-unified-5h-status: allowed_warning",
    ]

    @Test func `what an answer says of a key's limits stands on the page, in the text and in the JSON`() throws {
        try Stage.run(.with { $0.tables = "[server]\nworkers = 2" }) {
            try $0.reply(fields: Self.fields)
        } _: { stage throws in
            let before = try stage.ask("GET", "/_menshen/status", ["Accept: application/json"]).text
            #expect(before.contains(#""headroom":[]"#), "\(before)")
            let (path, room) = ("/_menshen/ui/providers", "<span class=\"room\"><span>5h</span>")
            #expect(try !stage.ask("GET", path).text.contains(room))
            #expect(try stage.ask("POST", "/v1/responses", body: "{}").status == 200)
            let json = try stage.ask("GET", "/_menshen/status", ["Accept: application/json"]).text
            #expect(
                json.contains(
                    #""headroom":[{"unit":"requests","window":null,"limit":60,"remaining":59,"utilization":null,"status":null,"resets_in_ms":"#
                ), "\(json)")
            #expect(
                json.contains(
                    #"{"unit":"subscription","window":"5h","limit":null,"remaining":null,"utilization":0.2345,"status":"allowed_warning","resets_in_ms":null,"age_ms":"#
                ), "\(json)")
            let text = try stage.ask("GET", "/_menshen/status", ["Accept: text/plain"]).text
            #expect(
                text.contains("requests          59 of 60") && text.contains("in 60 min") || text.contains("in 59 min"),
                "\(text)")
            #expect(text.contains("subscription, 5h  23.4 % used, allowed_warning"), "\(text)")
            let page = try stage.ask("GET", path).text
            #expect(page.contains(room) && page.contains("width=\"23.5%\""), "\(page)")
        }
    }

    @Test func `each key of a pool has its own, also of an answer that is not passed on`() throws {
        let providers = [Stage.provider("a", "api_keys = [\"key-one\", \"key-two\"]")]
        try Stage.run(.with { $0.providers = providers }) { call in
            let isFirst = call.request["Authorization"] == "Bearer key-one"
            try call.reply(
                isFirst ? 429 : 200, fields: ["x-ratelimit-remaining-tokens: \(isFirst ? 0 : 77)"])
        } _: { stage throws in
            #expect(try stage.ask("POST", "/v1/responses", body: "{}").status == 200)
            let text = try stage.ask("GET", "/_menshen/status", ["Accept: text/plain"]).text
            let rows = text.split(separator: "\n").filter { $0.contains("tokens") }.map {
                $0.split(separator: " ").prefix(4).joined(separator: " ")
            }
            #expect(rows == ["a 1 tokens 0", "a 2 tokens 77"], "\(text)")
        }
    }
}

extension UpstreamCall {
    fileprivate func reply(_ status: Int = 200, fields: [String]) throws {
        try reply(status, ["Content-Type: application/json"] + fields)
    }
}
