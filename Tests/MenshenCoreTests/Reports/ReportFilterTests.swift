// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

struct ReportFilterTests {
    private func matches(_ filter: ReportFilter, _ values: [Dimension: String], _ traits: RequestTraits = []) -> Bool {
        filter.matches(traits) { values[$0] }
    }

    @Test func `values of one filter are alternatives, also where one is a word for many ends`() throws {
        let filter = try #require(ReportFilter.ends(["failed", "refused"]))
        #expect(matches(filter, [.outcome: "timeout"], .failed))
        #expect(matches(filter, [.outcome: "refused"]) && !matches(filter, [.outcome: "complete"]))
        #expect(try #require(ReportFilter.ends(["failed"])) == .failed)
        #expect(ReportFilter.ends([]) == nil)
        #expect(!matches(try #require(ReportFilter.ends(["open"])), [.outcome: "timeout"], .failed))
    }

    @Test func `alternatives may be of two dimensions`() {
        let filter = ReportFilter(.program, ["/usr/bin/claude"]).or(ReportFilter(.client, ["codex", nil]))
        #expect(matches(filter, [.client: "codex"]) && matches(filter, [:]))
        #expect(matches(filter, [.client: "zed", .program: "/usr/bin/claude"]))
        #expect(!matches(filter, [.client: "zed", .program: "/usr/bin/zed"]))
        #expect(matches(ReportFilter.unpriced.or(.failed), [.client: "zed"], .unpriced))
    }

    @Test func `what no request can have is told`() throws {
        for status in ["429", "4xx", "5*", "*"] {
            #expect(ReportFilter.objection(to: status, of: .status) == nil, "\(status)")
        }
        for status in ["", "4x", "xxx", "42", "4290", "4xx,5xx", "ok", "4x*", "-1"] {
            #expect(ReportFilter.objection(to: status, of: .status)?.contains("4xx") == true, "\(status)")
        }
        #expect(try #require(ReportFilter.objection(to: "truncate", of: .outcome)).contains("'truncated'"))
        for end in ["complete", "open", "failed", "client_*"] {
            #expect(ReportFilter.objection(to: end, of: .outcome) == nil, "\(end)")
        }
        #expect(ReportFilter.objection(to: "", of: .model) == nil)
    }
}
