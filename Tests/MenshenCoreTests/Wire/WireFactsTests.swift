// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

@Suite struct WireFactsTests {
    private func scan(_ bytes: [UInt8]) -> RequestFacts {
        var scan = RequestScan()
        scan.feed(bytes.span)
        return scan.facts
    }

    private func facts(_ text: String) -> RequestFacts { scan(Array(text.utf8)) }

    private func expected(_ model: String?, _ isStream: Bool?) -> RequestFacts {
        var facts = RequestFacts()
        facts.model = model
        facts.isStream = isStream
        return facts
    }

    @Test(arguments: [
        (#"{"model":"m","stream":true}"#, "m", true), (#"{"stream":false,"model":"m"}"#, "m", false),
        (" \t\r\n{ \"model\" : \"m\" , \"stream\" : true } ", "m", true), (#"{"model":""}"#, "", nil),
        ("\u{FEFF}{\"model\":\"m\"}", "m", nil),
        (
            #"{"messages":[{"model":"no","stream":true}],"metadata":{"model":"no","stream":true},"model":"m","stream":false}"#,
            "m", false
        ),
        (#"{"a":"\"model\":\"no\",","b":"{\"model\":\"no\"}","model":"m"}"#, "m", nil),
        (#"{"a":"\\","model":"m"}"#, "m", nil), (#"{"a":"\\\"","model":"m"}"#, "m", nil),
        (#"{"a":["]","}","\"]"],"model":"m"}"#, "m", nil), (#"{"a":{"b":"}"},"model":"m"}"#, "m", nil),
        (#"{"a":1e9,"b":null,"c":-0.5,"d":[],"e":{},"model":"m"}"#, "m", nil),
        // Names that only look like it.
        (#"{"models":"no","mode":"no","xmodel":"no","":"no","\rodel":"no","Modem":"no"}"#, nil, nil),
        // Servers in Go take it in any case.
        (#"{"Model":"a"}"#, "a", nil), (#"{"model":"a","MODEL":"b"}"#, "b", nil), (#"{"mO\u0044eL":"b"}"#, "b", nil),
        (#"{"STREAM":true,"a":{"MODEL":"no"}}"#, nil, nil),
        // Escapes, in names and values.
        (#"{"\u006dodel":"m"}"#, "m", nil), (#"{"m\u006Fdel":"a\/b\\c\"d"}"#, "a/b\\c\"d", nil),
        (#"{"model":"\u00e9\ud83d\ude42\n\t\b\f\r"}"#, "é🙂\n\t\u{8}\u{C}\r", nil),
        (#"{"model":"\ud83dA"}"#, "\u{FFFD}A", nil), (#"{"model":"\ude42A"}"#, "\u{FFFD}A", nil),
        (#"{"model":"\ud83d\u0041"}"#, "\u{FFFD}A", nil), (#"{"model":"\ud83d\ud83d\ude42"}"#, "\u{FFFD}🙂", nil),
        // The last of duplicates, as for the providers.
        (#"{"model":"a","model":"b","stream":true,"stream":false}"#, "b", false),
        // Values of another type say nothing.
        (#"{"model":5,"stream":"true"}"#, nil, nil), (#"{"model":null,"stream":null}"#, nil, nil),
        (#"{"model":["m"],"stream":1}"#, nil, nil),
    ])
    func `model and stream are read from the top level alone`(_ text: String, _ model: String?, _ isStream: Bool?) {
        #expect(facts(text) == expected(model, isStream))
    }

    @Test(arguments: [
        "", " ", "null", "5", "\"model\"", "[]", #"[{"model":"m"}]"#, "{", "{}", "{,}", #"{"model"}"#, #"{"model":}"#,
        #"{model:"m"}"#,
        #"{'model':'m'}"#, #"{"model" "m"}"#, #"x{"model":"m"}"#, #"{"model":"\x"}"#, #"{"model":"\u12"}"#,
        #"{"model":"\u+06d"}"#,
        #"{"\u+06dodel":"m"}"#, "{\"model\":\"a\nb\"}", #"{"a":}{"model":"m"}"#, #"{"a" "model":"m"}"#,
        "\u{FEFF}\u{FEFF}{\"model\":\"m\"}",
    ])
    func `what is no object gives no facts`(_ text: String) {
        #expect(facts(text) == RequestFacts())
    }

    @Test func `what was read before a fault counts`() {
        #expect(facts(#"{"model":"m","#) == expected("m", nil))
        #expect(facts(#"{"model":"m" oops "stream":true}"#) == expected("m", nil))
    }

    @Test func `every truncated beginning is read without a crash and never wrongly`() {
        let text =
            #"{"a":{"model":"no","x":["\\\"",{"stream":true}]},"\u006dodel":"gp\u0074\ud83d\ude42","b":-1.5e3,"c":"\"}","stream":true ,"d":null}"#
        let bytes = Array(text.utf8)
        for count in 0...bytes.count {
            let facts = scan(Array(bytes[..<count]))
            #expect(facts.model == nil || facts.model == "gpt🙂", "\(count) bytes")
            #expect(facts.isStream == nil || facts.isStream == true, "\(count) bytes")
        }
        #expect(scan(bytes) == expected("gpt🙂", true))
    }

    @Test func `every single wrong byte is survived`() {
        let bytes = Array(#"{"a":["\u00e9",{"b":tru}],"model":"m\n","stream":true}"#.utf8)
        for index in bytes.indices {
            for byte in UInt8.min ... .max {
                var damaged = bytes
                damaged[index] = byte
                #expect((scan(damaged).model?.utf8.count ?? 0) < 60)
            }
        }
    }

    @Test func `a hundred thousand levels cost no stack`() {
        for (open, close) in [("[", "]"), (#"{"a":"#, "}")] {
            let depth = 100_000
            let nested = String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth)
            #expect(facts(#"{"a":\#(nested),"model":"m"}"#) == expected("m", nil))
            #expect(facts(#"{"a":\#(nested.dropLast()),"model":"m"}"#).model == nil)
            #expect(facts(String(repeating: open, count: depth)) == RequestFacts())
        }
    }

    @Test func `a model longer than any name is not kept`() {
        let most = String(repeating: "m", count: 256)
        #expect(facts(#"{"model":"\#(most)"}"#).model == most)
        #expect(facts(#"{"model":"\#(most)m","stream":true}"#) == expected(nil, true))
        let key = String(repeating: "k", count: 10_000)
        #expect(facts(#"{"\#(key)":1,"model":"m"}"#).model == "m")
    }

    @Test func `a large body is passed over in one go`() {
        let text = String(repeating: #"a long prompt with \"quotes\" and words, "#, count: 1000)
        let message = #"{"role":"user","content":"\#(text)"}"#
        let body =
            #"{"messages":["# + Array(repeating: message, count: 200).joined(separator: ",")
            + #"],"model":"m","stream":true}"#
        let bytes = Array(body.utf8)
        #expect(bytes.count > 8_000_000)
        var found = RequestFacts()
        let time = ContinuousClock().measure { found = scan(bytes) }
        #expect(found == expected("m", true))
        // About 10 ms when optimised; the bound only tells one pass from many.
        print("facts of \(bytes.count) bytes: \(time)")
        #expect(time < .seconds(20))
    }

    // MARK: Facts of paths

    @Test(
        arguments: [
            ("/v1beta/models/gemini-2.0-flash:generateContent", "gemini-2.0-flash", false),
            ("/v1beta/models/gemini-2.0-flash:streamGenerateContent", "gemini-2.0-flash", true),
            ("/v1beta/tunedModels/a:b:generateContent", "a:b", false),
            ("/v1/projects/p/locations/l/publishers/anthropic/models/claude@1:rawPredict", "claude@1", false),
            ("/v1/projects/p/locations/l/publishers/anthropic/models/claude@1:streamRawPredict", "claude@1", true),
            ("/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict", nil, false),
        ] as [(String, String?, Bool)])
    func `Google's APIs say both in the path`(_ path: String, _ model: String?, _ isStream: Bool) {
        #expect(RequestFacts(.gemini, path: path) == expected(model, isStream))
        #expect(RequestFacts(.anthropic, path: path) == expected(model, isStream))
    }

    @Test func `a Gemini path without a method says nothing`() {
        for path in ["", "/", "/v1beta/models", "/v1beta/models/g"] {
            #expect(RequestFacts(.gemini, path: path) == RequestFacts())
        }
    }

    @Test func `Azure names a deployment in the path`() {
        #expect(RequestFacts(.azure, path: "/openai/deployments/gpt/chat/completions").model == "gpt")
        #expect(RequestFacts(.azure, path: "/openai/deployments/gpt").model == "gpt")
        for path in [
            "/openai/deployments", "/openai/deployments/", "/openai/v1/responses", "/x/openai/deployments/g", "",
        ] {
            #expect(RequestFacts(.azure, path: path).model == nil)
        }
    }
}

struct MaxOutputTests {
    private static func facts(_ text: String) -> RequestFacts {
        var scan = RequestScan()
        let bytes = Array(text.utf8)
        bytes.withUnsafeBufferPointer { scan.feed($0.span) }
        return scan.facts
    }

    @Test(
        arguments: [
            (#"{"max_tokens":5}"#, 5), (#"{"max_completion_tokens":6}"#, 6), (#"{"max_output_tokens":7}"#, 7),
            (#"{"generationConfig":{"maxOutputTokens":8}}"#, 8), (#"{"generation_config":{"max_output_tokens":9}}"#, 9),
            (#"{"inferenceConfig":{"maxTokens":10}}"#, 10),
            (#"{"max_tokens":3,"max_completion_tokens":30,"max_tokens":20}"#, 30),
            (#"{"max_tokens":null}"#, nil), (#"{"max_tokens":"5"}"#, nil), (#"{"max_tokens":-5}"#, nil),
            (#"{"max_tokens":1.5}"#, nil), (#"{"max_tokens":99999999999999999999}"#, nil),
            (#"{"x":{"max_tokens":5}}"#, nil),
        ] as [(String, Int64?)])
    func `the most output that is asked for is read in each API's words`(_ text: String, _ count: Int64?) {
        #expect(Self.facts(text).maxOutput == count)
    }
}
