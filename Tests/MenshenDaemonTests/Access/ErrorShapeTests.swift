// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

struct ErrorShapeTests {
    @Test(arguments: [
        (
            "/v1/chat/completions", "openai",
            #""type":"invalid_request_error","param":null,"code":"unauthenticated"}}"#, "x-request-id"
        ),
        (
            "/v1/messages", "anthropic", #"{"type":"error","error":{"type":"authentication_error","message":"#,
            "request-id"
        ),
        ("/v1beta/models/g:generateContent", "gemini", #""status":"UNAUTHENTICATED"}}"#, "x-request-id"),
        ("/openai/deployments/d/chat/completions", "azure", #""code":"unauthenticated"}}"#, "x-request-id"),
        ("/model/m/converse", "bedrock", #"{"message":"#, "x-request-id"),
    ])
    func `a refusal has the shape that the path's SDK reads`(
        path: String, dialect: String, part: String, idName: String
    ) throws {
        try Stage.run(.with { $0.hasTCP = true }) {
            try $0.reply()
        } _: { stage throws in
            let answer = try stage.askTCP("POST", path, ["Content-Type: application/json"], body: "{}")
            #expect((answer.status, answer["Content-Type"]) == (401, "application/json"))
            #expect(answer.text.contains(part))
            #expect((answer["x-menshen-error"], answer["x-should-retry"]) == ("unauthenticated", "false"))
            let id = try #require(answer[idName])
            #expect(answer["x-menshen-request-id"] == id)
            if dialect == "anthropic" { #expect(answer.text.contains("\"request_id\":\"\(id)\"")) }
            let row = try #require(try stage.records().first)
            #expect((row.textID, row.dialect) == (id, dialect))
        }
    }

    @Test func `a refusal that a retry could help says so`() throws {
        let port = try FreePort.refusing()
        try Stage.run(.with { $0.baseURL = "http://127.0.0.1:\(port.number)" }) { _ in
        } _: { stage throws in
            let answer = try stage.ask()
            #expect((answer.status, answer["x-should-retry"]) == (502, "true"))
        }
    }

    @Test func `a refusal to HEAD has no body`() throws {
        try Stage.run(.with { $0.hasTCP = true }) {
            try $0.reply()
        } _: { stage throws in
            let caller = try stage.tcpCaller()
            try caller.request("HEAD", "/v1/models")
            #expect(try caller.answer(to: "HEAD").status == 401)
            try caller.request("GET", "/_menshen/health")
            #expect(try caller.answer().status == 200)
        }
    }

    @Test func `answers of menshen's own are dated, and say what AWS's SDKs and browsers look for`() throws {
        try Stage.run(.with { $0.hasTCP = true }) {
            try $0.reply()
        } _: { stage throws in
            let bedrock = try stage.askTCP("POST", "/model/m/converse", ["Content-Type: application/json"], body: "{}")
            #expect((bedrock.status, bedrock["x-amzn-ErrorType"]) == (401, "AccessDeniedException"))
            let other = try stage.askTCP("POST", "/v1/messages", ["Content-Type: application/json"], body: "{}")
            #expect((other.status, other["x-amzn-ErrorType"], other["Allow"]) == (401, nil, nil))
            let page = try stage.ask("DELETE", "/_menshen/health")
            #expect((page.status, page["Allow"]) == (405, "GET, HEAD"))
            let health = try stage.ask("GET", "/_menshen/health")
            for answer in [bedrock, other, page, health] {
                #expect(answer.head.all("Date").count == 1)
                #expect(answer["Date"]?.hasSuffix(" GMT") == true)
            }
            // A provider's answer is as it came.
            #expect(try stage.ask().head.all("Date").isEmpty)
        }
    }
}
