// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import MenshenCore
import Testing

@Suite struct WireDialectTests {
    @Test(arguments: [
        ("/v1/chat/completions", Dialect.openai), ("/chat/completions", .openai), ("/v1/responses", .openai),
        ("/v1/models", .openai), ("/v1/models/ft:gpt-4o:org::id", .openai), ("/", .openai), ("", .openai),
        ("/v1/embeddings", .openai),
        ("/v1/threads/t/messages", .openai), ("/v1/threads/t/messages/m", .openai),
        ("/v1/chat/completions/c/messages", .openai), ("/v1/message", .openai),
        ("/v1beta/openai/chat/completions", .openai), ("/api/paas/v4/chat/completions", .openai),
        ("/v1/messages", .anthropic), ("/messages", .anthropic), ("/v1/messages/count_tokens", .anthropic),
        ("/v1/messages/batches/b/results", .anthropic), ("/anthropic/v1/messages", .anthropic),
        ("/v1beta/models/g:generateContent", .gemini), ("/v1beta/models", .gemini), ("/v1alpha/files", .gemini),
        ("/v1/models/g:streamGenerateContent", .gemini), ("/models/g:countTokens", .gemini),
        ("/models/g:embedContent", .gemini), ("/upload/v1beta/files", .gemini), ("/upload/v1/files", .openai),
        ("/download/v1beta/files/f:download", .gemini),
        ("/v1/projects/p/publishers/google/models/g:generateContent", .gemini),
        ("/v1/projects/p/publishers/anthropic/models/c:streamRawPredict", .anthropic),
        ("/v1/models/g:batchEmbedContents", .gemini), ("/models/g:other", .openai),
        ("/openai/deployments/d/chat/completions", .azure), ("/openai/v1/responses", .azure), ("/openai/files", .azure),
        ("/openai", .openai),
        ("/deployments/d", .openai),
    ])
    func `the path tells the dialect`(_ path: String, _ dialect: Dialect) {
        #expect(Dialect(path: path) == dialect)
    }

    @Test(arguments: [
        "/v1/models", "/models", "/v1/models/claude-5", "/v1/files/f/content", "/files", "/v1/models/a/b", "",
        "/v1/skills",
        "/v1/batches", "/upload/v1/files", "/v1/cachedContents", "/v1/interactions",
        "/v1/sessions/s/threads/t/messages/m",
        "/v1/complete", "/v1/organizations/users", "/agents/a", "/nobody/knows/it",
    ])
    func `where the path is not one company's, the caller's SDK says whose it is`(path: String) throws {
        #expect(Dialect.decided(by: path) == nil)
        for (lines, dialect) in [
            (["Authorization: Bearer t"], Dialect.openai), ([], .openai),
            (["anthropic-version: 2023-06-01"], .anthropic),
            (["anthropic-beta: skills", "Authorization: Bearer t"], .anthropic), (["x-api-key: t"], .anthropic),
            (["x-goog-api-client: google-genai-sdk/3"], .gemini), (["X-Goog-Api-Key: t"], .gemini),
            (["api-key: t"], .azure), (["Authorization: AWS4-HMAC-SHA256 Credential=t/d/r/s/aws4_request"], .bedrock),
            (["amz-sdk-invocation-id: 1", "Authorization: Bearer t"], .bedrock), (["X-Amz-Date: d"], .bedrock),
            // What one company's SDK alone sends goes before the field that a key came in.
            (["x-api-key: t", "x-goog-api-client: g"], .gemini), (["api-key: t", "Anthropic-Version: v"], .anthropic),
        ] {
            #expect(Dialect(sentBy: try wireHead(lines)) == dialect, "\(lines)")
        }
    }

    @Test func `a key in the query is Google's or Azure's`() throws {
        #expect(Dialect(sentBy: try wireHead(), credentialInQuery: "key") == .gemini)
        #expect(Dialect(sentBy: try wireHead(), credentialInQuery: "api-key") == .azure)
        #expect(Dialect(sentBy: try wireHead(), credentialInQuery: "subscription-key") == .openai)
    }

    @Test func `paths of one company's are nobody else's, whatever the head says`() {
        for path in [
            "/v1/chat/completions", "/v1/embeddings", "/v1/responses/r", "/v1/images/edits", "/v1/audio/speech",
        ] {
            #expect(Dialect.decided(by: path) == .openai)
        }
        #expect(Dialect.decided(by: "/v1/messages/batches") == .anthropic)
        #expect(Dialect.decided(by: "/v1/models/g:generateContent") == .gemini)
    }

    /// Paths that are in no case of the corpus.
    @Test(arguments: [
        ("/v1/responses/input_tokens", "count_tokens"), ("/v1/responses/r/input_items", "responses"),
        ("/v1/chat/completions/c/messages", "chat"), ("/v1/uploads/u/parts", "files"),
        ("/v1/fine_tuning/jobs", "other"),
        ("/openai/deployments/images/chat/completions", "chat"), ("/openai/deployments/chat/embeddings", "embeddings"),
        ("/openai/deployments/d/audio/speech", "speech"), ("/openai/batches/b", "batches"),
        ("/v1/messages/batches/b/cancel", "batches"), ("/v1beta/models/g:predict", "other"),
        ("/v1beta/batches/b", "batches"),
    ])
    func `the path tells the operation`(path: String, operation: String) {
        #expect(MenshenCore.Operation(Dialect(path: path), path: path).rawValue == operation)
    }

    @Test func `what is fetched or taken away costs nothing, and what is stored neither`() {
        #expect(MenshenCore.Operation.responses.hasUsage(isLookUp: false))
        #expect(!MenshenCore.Operation.responses.hasUsage(isLookUp: true))
        // Some servers run a model at a path that looks like a list of them.
        #expect(MenshenCore.Operation.models.hasUsage(isLookUp: false))
        for operation in [MenshenCore.Operation.files, .batches, .countTokens, .moderations] {
            #expect(!operation.hasUsage(isLookUp: false))
        }
        #expect(MenshenCore.Operation.realtime.hasUsage(isLookUp: true))
    }

    @Test func `each API is in the list once, and found by its name`() {
        #expect(Set(Dialect.allCases).count == Dialect.allCases.count)
        for dialect in Dialect.allCases { #expect(Dialect(rawValue: dialect.rawValue) == dialect) }
        #expect(Dialect.allCases.map(\.rawValue) == ["openai", "anthropic", "gemini", "azure", "bedrock"])
        #expect(Dialect.common == .openai)
    }

    @Test func `the field that an API's key comes in never goes upstream, and a proxy token may come in it`() throws {
        let gate = TokenGate(tokens: [.init(name: "laptop", secret: Secret("tttttttt"))])
        var count = 0
        for field in Dialect.allCases.compactMap({ $0.api.keyField }) {
            count += 1
            #expect(HeaderRules.isDropped(field))
            #expect(gate.judge(try wireHead(["\(field.rawValue): tttttttt"]), queryKey: nil).tokenName == "laptop")
        }
        #expect(count >= 3)
    }

    /// What Vertex has of Anthropic's lies below Google's prefixes, and a deployment of Azure's may have any name.
    @Test(arguments: [
        ("/v1beta/projects/p/models/c:rawPredict", Dialect.anthropic), ("/v1beta/models/messages", .anthropic),
        ("/v1alpha/threads/t/messages", .gemini), ("/openai/deployments/messages/chat/completions", .azure),
        ("/openai/models/g:generateContent", .azure), ("/model/messages/converse", .bedrock),
        ("/v1/chat/messages", .anthropic), ("/v1beta/openai/messages", .anthropic),
    ])
    func `a path that looks like two companies' is of one`(path: String, dialect: Dialect) {
        #expect(Dialect.decided(by: path) == dialect)
    }
}
