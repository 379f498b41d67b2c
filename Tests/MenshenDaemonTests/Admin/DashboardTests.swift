// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import TestSupport
import Testing

/// The dashboard's pages as a browser gets them.
@Suite struct DashboardTests {
    private static let setting = Stage.Setting.with {
        $0.hasTCP = true
        $0.authentication = Stage.password
    }
    /// admin:open sesame
    private static let signedIn = ["Authorization: Basic YWRtaW46b3BlbiBzZXNhbWU="]

    @Test func `the owner and the password see it, a token and strangers do not`() throws {
        try Stage.run(Self.setting) {
            try $0.reply()
        } _: { stage throws in
            _ = try stage.ask("POST", "/v1/chat/completions", Self.fields, body: #"{"model":"<b>&\"'"}"#)
            for path in [
                "/_menshen/ui", "/_menshen/ui/", "/_menshen/ui/usage?by=model", "/_menshen/ui/log",
                "/_menshen/ui/system",
            ] {
                let page = try stage.ask("GET", path)
                #expect(page.status == 200, "\(path)")
                #expect(page["content-type"] == "text/html; charset=utf-8" && page["cache-control"] == "no-store")
                #expect(page["content-security-policy"]?.contains("default-src 'none'") == true)
                #expect(page.text.contains("</html>") && !page.text.contains("<b>&"), "\(path)")
                #expect(!page.text.contains(Stage.key) && !page.text.contains(Stage.token))
                #expect(try stage.askTCP("GET", path, Self.signedIn).status == 200)
                #expect(try stage.askTCP("GET", path, []).status == 401)
                #expect(try stage.askTCP("GET", path, ["Authorization: Bearer \(Stage.token)"]).status == 403)
            }
        }
    }

    @Test func `a browser signs in, and stays on the page`() throws {
        try Stage.run(Self.setting) {
            try $0.reply()
        } _: { stage throws in
            let browser = ["Accept: text/html"]
            let refused = try stage.askTCP("GET", "/_menshen/ui/log", browser)
            #expect(refused.status == 401)
            #expect(refused.text.contains("/_menshen/ui/log?signin"))
            #expect(try stage.askTCP("GET", "/_menshen/ui/log?signin", browser)["www-authenticate"] != nil)
            #expect(try stage.askTCP("GET", "/_menshen/ui/log?signin", browser + Self.signedIn).status == 200)
        }
    }

    private static let fields = ["Content-Type: application/json"]

    @Test func `style and script are kept by the browser, pages also come as JSON and CSV, and nothing else is there`()
        throws
    {
        try Stage.run(Self.setting) {
            try $0.reply()
        } _: { stage throws in
            let page = try stage.ask("GET", "/_menshen/ui/")
            for suffix in [".css", ".js"] {
                let address = try #require(page.text.split(separator: "\"").first { $0.hasSuffix(suffix) })
                let asset = try stage.ask("GET", String(address))
                #expect(asset.status == 200 && asset["cache-control"]?.contains("immutable") == true)
            }
            #expect(
                try stage.ask("GET", "/_menshen/ui/usage.json")["content-type"]?.hasPrefix("application/json") == true)
            #expect(try stage.ask("GET", "/_menshen/ui/usage.csv")["content-type"]?.hasPrefix("text/csv") == true)
            #expect(try stage.ask("GET", "/_menshen/ui/nowhere").status == 404)
            #expect(try stage.ask("GET", "/_menshen/ui/usage?perid=7d").status == 400)
            #expect(try stage.ask("POST", "/_menshen/ui/tokens/new").status == 405)
            // Looking leaves no rows.
            #expect(try stage.records().allSatisfy { $0.path?.hasPrefix("/_menshen/ui") != true || $0.status != 200 })
        }
    }
}
