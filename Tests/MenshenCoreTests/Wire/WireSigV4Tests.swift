// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

/// A request, and the signature that botocore 1.44.5 makes for it (AKIDEXAMPLE, 2026-11-23 23:53:37 UTC).
struct SignedCase: Sendable, CustomTestStringConvertible {
    var method = "POST"
    var target: String
    var region = "us-east-1"
    var fields: [(String, String)] = []
    var body: [UInt8] = []
    var token: String?
    let names: String
    let signature: String

    var testDescription: String { "\(method) \(target)" }
}

private let signedCases = [
    SignedCase(
        target: "/model/anthropic.claude-3-5-sonnet-20241022-v2%3A0/converse",
        fields: [("content-type", "application/json")], body: Array(#"{"messages":[]}"#.utf8),
        names: "content-type;host;x-amz-date",
        signature: "90d66ce8f24c3dc6960e55c9a13816769a9f14603091a1db5383872a09e3fb41"),
    SignedCase(
        target: "/model/us.anthropic.claude-sonnet-4-20250514-v1%3A0/converse-stream", region: "eu-central-1",
        fields: [("x-amz-user-agent", "  aws-sdk-js/3   x "), ("content-type", "application/json")],
        body: Array("{}".utf8), names: "content-type;host;x-amz-date;x-amz-user-agent",
        signature: "c1482d387eca531ceddd10f129e98ea6c86fb07a0f5d49f4e347f6eacdc91eea"),
    SignedCase(
        target:
            "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.anthropic.claude-3-5-sonnet-20241022-v2%3A0/invoke",
        token: "IQoJb3JpZ2luX2VjE/token+with==signs", names: "host;x-amz-date;x-amz-security-token",
        signature: "348b6e37d543cf6b5d8d4965d371db75b264b319096e21787978620aea9d598f"),
    SignedCase(
        target: "/model/a~b_c-d.e/invoke-with-response-stream", region: "ap-northeast-1",
        fields: [("x-amz-zzz", "2"), ("x-amz-a", "1")], body: (0...255).map { $0 }, token: "TOKEN",
        names: "host;x-amz-a;x-amz-date;x-amz-security-token;x-amz-zzz",
        signature: "a1fda18e63fee5e56d665432ae14c41d5f48a8c0f73cfa069ee32fb65d9d97d1"),
    SignedCase(
        method: "GET", target: "/x?b=2&a=1&a=0&c=", region: "us-gov-west-1", names: "host;x-amz-date",
        signature: "e5e6379089d25d852c5f0f03f98d44da2bb98a738dd5e4f2cbfe83a9782aada9"),
    SignedCase(
        method: "GET", target: "/foundation-models/", names: "host;x-amz-date",
        signature: "759f4bf30f77a6b7bae8a614e73133e95f2ae04440feaca90ea4d61991352d13"),
    SignedCase(
        method: "GET", target: "/", names: "host;x-amz-date",
        signature: "38d08832fe14800d176afaed22d62d822dd678f99b3f333c2a7afdf444098771"),
]

@Suite struct WireSigV4Tests {
    private static let secret = Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")

    private static func sign(_ target: String, at time: UInt64 = 1_795_478_017) -> SigV4.Signature {
        let request = SigV4.Request(method: "GET", target: Array(target.utf8)[...], host: "h", body: [])
        return SigV4(accessKeyID: "A", region: "r").sign(request, with: secret, at: time)
    }

    @Test(arguments: signedCases) func `a signature is the one that AWS's SDK makes`(_ signed: SignedCase) {
        var request = SigV4.Request(
            method: signed.method, target: Array(signed.target.utf8)[...],
            host: "bedrock-runtime.\(signed.region).amazonaws.com", body: signed.body)
        for (name, value) in signed.fields { request.add(name, value.utf8) }
        let signing = SigV4(
            accessKeyID: "AKIDEXAMPLE", region: signed.region, sessionToken: signed.token.map { Secret($0) })
        let signature = signing.sign(request, with: Self.secret, at: 1_795_478_017)
        #expect(String(decoding: signature.date, as: UTF8.self) == "20261123T235337Z")
        #expect(
            String(decoding: signature.authorization, as: UTF8.self)
                == "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261123/\(signed.region)/bedrock/aws4_request, SignedHeaders=\(signed.names), Signature=\(signed.signature)"
        )
    }

    @Test(
        arguments: [
            (0, "19700101T000000Z"), (951_782_400, "20000229T000000Z"), (1_735_689_599, "20241231T235959Z"),
            (4_107_587_696, "21000301T123456Z"), (253_402_300_799, "99991231T235959Z"), (.max, "99991231T235959Z"),
        ] as [(UInt64, String)])
    func `the time is that of UTC's calendar`(_ seconds: UInt64, _ text: String) {
        #expect(String(decoding: Self.sign("/", at: seconds).date, as: UTF8.self) == text)
    }

    @Test(arguments: [
        ("/a//b", "/a/b"), ("", "/"), ("/x?a=%41", "/x?a=A"), ("/x?b=1&a", "/x?a=&b=1"), ("/x?a=%2f", "/x?a=%2F"),
    ])
    func `requests that AWS takes for the same have one signature`(_ one: String, _ other: String) {
        #expect(Self.sign(one).authorization == Self.sign(other).authorization)
    }

    @Test(arguments: [("/a%3A0", "/a:0"), ("/a%2Fb", "/a/b"), ("/a/", "/a"), ("/x?a=1", "/x?a=2")])
    func `requests that differ for AWS have different ones`(_ one: String, _ other: String) {
        #expect(Self.sign(one).authorization != Self.sign(other).authorization)
    }

    @Test func `content type and AWS's own fields are signed, others are not`() {
        for name in ["content-type", "x-amz-date", "x-amz-user-agent"] { #expect(SigV4.covers(name), "\(name)") }
        for name in ["x-amzn-bedrock-trace", "user-agent", "amz-sdk-request", "accept"] {
            #expect(!SigV4.covers(name), "\(name)")
        }
    }
}
