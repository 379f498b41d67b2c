// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

struct ContextLengthTests {
    @Test(arguments: [
        #"{"error":{"message":"This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#,
        #"{"error":{"message":"too much","code":"context_length_exceeded"}}"#,
        #"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}"#,
        #"{"type":"error","error":{"type":"invalid_request_error","message":"input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"}}"#,
        #"{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}"#,
        #"[{"error":{"code":400,"message":"The input token count exceeds the maximum number of tokens allowed 8192."}}]"#,
        #"{"message":"Input is too long for requested model."}"#,
        #"{"object":"error","message":"This model's maximum context length is 4096 tokens.","type":"BadRequestError","code":400}"#,
        #"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error"}}"#,
        #"{"code":"Client specified an invalid argument","error":"This model's maximum prompt length is 131072 but the request contains 140000 tokens."}"#,
        #"{"message":"too many tokens: total number of tokens in the prompt cannot exceed 4081"}"#,
        #"{"error":"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096","error_type":"validation"}"#,
    ])
    func `what providers say of a request that is too long`(body: String) {
        #expect(ContextLength.isExceeded(Array(body.utf8)))
    }

    @Test(arguments: [
        "", "{", "prompt is too long", #"{"error":{"message":"Invalid value: 'x'","code":"invalid_value"}}"#,
        #"{"error":{"message":"Unsupported parameter: 'max_tokens'"}}"#, #"{"prompt":"prompt is too long"}"#,
        #"{"error":{"message":["prompt is too long"]}}"#, #"{"error":{"message":12}}"#,
    ])
    func `what says something else`(body: String) { #expect(!ContextLength.isExceeded(Array(body.utf8))) }

    @Test func `a provider takes more if it says so, and more than another`() {
        func turn(_ window: Int?) -> Provider.Turn { Provider.Turn(contextWindow: window) }
        #expect(turn(2).takesMore(than: turn(1)) && turn(1).takesMore(than: turn(nil)))
        #expect(!turn(1).takesMore(than: turn(1)) && !turn(1).takesMore(than: turn(2)))
        #expect(!turn(nil).takesMore(than: turn(1)) && !turn(nil).takesMore(than: turn(nil)))
    }
}
