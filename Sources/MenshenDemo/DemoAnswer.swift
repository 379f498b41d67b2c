// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux

/// What the demo's provider can say.
enum DemoAnswer {
    case whole, stream, models, refusal, unknownPath

    static let plainText = "Good morning from behind the door."
    static let streamedText = """
        You sent three worthless credentials and no key. 门神 took them away at the door, wrote down who you are, and \
        showed me a key that you have never seen. Every word passed the door as I said it.
        """

    /// The answer in the pieces in which it goes out.
    var pieces: [[UInt8]] {
        switch self {
        case .whole:
            [
                Self.message(
                    200,
                    #"{"id":"chatcmpl-demo",\#(Self.origin("chat.completion")),"choices":[{"index":0,"#
                        + #""message":{"role":"assistant","content":"\#(Self.plainText)"},"finish_reason":"stop"}],"#
                        + #""usage":{"prompt_tokens":9,"completion_tokens":7,"total_tokens":16}}"#)
            ]
        case .stream: Self.streamed()
        case .models:
            [Self.message(200, #"{"object":"list","data":[{"id":"\#(DemoProvider.model)","object":"model"}]}"#)]
        case .refusal:
            [Self.message(401, #"{"error":{"message":"That is not my key.","type":"invalid_request_error"}}"#)]
        case .unknownPath:
            [
                Self.message(
                    404, #"{"error":{"message":"I only know chat completions.","type":"invalid_request_error"}}"#)
            ]
        }
    }

    private static func origin(_ object: String) -> String {
        #""object":"\#(object)","created":\#(Clock.wall() / 1_000_000),"model":"\#(DemoProvider.model)""#
    }

    private static func message(_ status: Int, _ json: String) -> [UInt8] {
        Array(
            """
            HTTP/1.1 \(status) \(StatusText.of(status))\r\nContent-Type: application/json\r\n\
            Content-Length: \(json.utf8.count + 1)\r\n\r\n\(json)\n
            """.utf8)
    }

    private static func streamed() -> [[UInt8]] {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        var pieces = words(streamedText).map { chunk(event(#"{"content":"\#($0)"}"#, finish: "null")) }
        pieces[0] = Array(head.utf8) + pieces[0]
        let last = chunk(event("{}", finish: #""stop""#)) + chunk("data: [DONE]\n\n") + Array("0\r\n\r\n".utf8)
        return pieces + [last]
    }

    /// Each with the blank that follows it.
    static func words(_ text: String) -> [String] {
        let words = text.split(separator: " ")
        return words.indices.map { $0 == words.count - 1 ? String(words[$0]) : words[$0] + " " }
    }

    private static func event(_ delta: String, finish: String) -> String {
        #"data: {"id":"chatcmpl-demo",\#(origin("chat.completion.chunk")),"choices":[{"index":0,"delta":\#(delta),"#
            + #""finish_reason":\#(finish)}]}"# + "\n\n"
    }

    private static func chunk(_ text: String) -> [UInt8] {
        Array("\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n".utf8)
    }
}
