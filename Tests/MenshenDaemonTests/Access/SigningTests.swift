// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import TestSupport
import Testing

/// Requests to Bedrock under an AWS signature. That the signature is right is for WireSigV4Tests and Tests/e2e/bedrock.py,
/// which have AWS's own SDK to compare with.
struct SigningTests {
    private static let setting = Stage.Setting.with {
        $0.kind = "bedrock"
        $0.basePath = ""
        $0.provider = """
            aws_access_key_id = "AKIDEXAMPLE"
            aws_session_token = "${SESSION}"
            region = "us-east-1"
            """
        $0.daemon.environment["SESSION"] = "session-of-the-provider"
    }

    private static let callers = [
        "Authorization: AWS4-HMAC-SHA256 Credential=caller-secret/20200101/us-east-1/bedrock/aws4_request",
        "X-Amz-Security-Token: caller-secret", "X-Amz-Date: 20200101T000000Z",
        "X-Amz-Content-Sha256: caller-secret", "X-Amz-User-Agent: sdk", "Content-Type: application/json",
    ]

    @Test func `a request goes out under the provider's signature in place of the caller's`() throws {
        try Stage.run(Self.setting) {
            try $0.reply()
        } _: { stage throws in
            #expect(try stage.ask("POST", "/model/a.b-v2:0/converse", Self.callers, body: "{}").status == 200)
            let request = try #require(stage.upstream.requests.first)
            #expect(request.target == "/model/a.b-v2%3A0/converse")
            #expect(!request.head.text.contains("caller-secret"))
            #expect(!request.head.text.contains(Stage.key))
            #expect(request.head.all("X-Amz-Security-Token") == ["session-of-the-provider"])
            let date = try #require(request.head.all("X-Amz-Date").first)
            #expect(request.head.all("X-Amz-Date").count == 1 && date != "20200101T000000Z")
            let fields = request.head.all("Authorization")
            #expect(fields.count == 1)
            let start = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/\(date.prefix(8))/us-east-1/bedrock/aws4_request, "
            let names = "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-user-agent, Signature="
            #expect(fields[0].hasPrefix(start + names))
            #expect(fields[0].count == start.count + names.count + 64)
            #expect(request.body == Array("{}".utf8))
        }
    }

    @Test func `a body that would be streamed is read whole to be signed`() throws {
        let body = String(repeating: "x", count: 3 << 20)
        try Stage.run(Self.setting) {
            try $0.reply()
        } _: { stage throws in
            let answer = try stage.ask(
                "POST", "/model/a/invoke", ["Content-Type: application/json"], body: body)
            #expect(answer.status == 200)
            let request = try #require(stage.upstream.requests.first)
            #expect(request["Content-Length"] == "\(body.utf8.count)")
            #expect(request.body == Array(body.utf8))
        }
    }

    @Test(arguments: ["Content-Length: 33554433", "Transfer-Encoding: chunked"])
    func `a body too large to be signed is refused, and nothing goes out`(_ framing: String) throws {
        try Stage.run(Self.setting) {
            try $0.reply()
        } _: { stage throws in
            let caller = try stage.caller()
            try caller.send(
                "POST /model/a/invoke HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\(framing)\r\n\r\n")
            let piece = [UInt8](repeating: 0x78, count: 1 << 20)
            if framing.hasPrefix("T") {
                for _ in 0..<33 {
                    try caller.send("100000\r\n")
                    try caller.send(piece)
                    try caller.send("\r\n")
                }
            } else {
                try caller.send(piece)
            }
            let answer = try caller.answer(to: "POST")
            #expect(answer.status == 413)
            #expect(answer.text.contains("32 MiB"))
            #expect(stage.upstream.requests.isEmpty)
        }
    }
}
