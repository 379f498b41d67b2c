// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

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
        ("/v1/models", true), ("/models", true), ("/v1/models/claude-5", true), ("/v1/files/f/content", true),
        ("/files", true), ("/v1/models/a/b", false), ("/v1beta/models", false), ("/v1/chat/completions", false),
        ("", false),
    ])
    func `some paths are several APIs'`(path: String, isShared: Bool) {
        #expect(Dialect.isShared(path) == isShared)
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

    @Test func `each provider kind has a dialect of its name`() {
        #expect(Provider.Kind.allCases.allSatisfy { Dialect(rawValue: $0.rawValue) != nil })
    }
}
