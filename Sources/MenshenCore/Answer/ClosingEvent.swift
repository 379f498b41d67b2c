// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

extension AnswerObserver {
    /// The event that tells a caller why its stream breaks off, in the words of its API, to be written behind what was
    /// relayed. nil where the API has none, after the answer's own end, and in the middle of an event, where nothing
    /// may be added. The connection breaks after it all the same.
    package func closingEvent(_ problem: Problem) -> [UInt8]? {
        guard isAtBoundary, ending == .open else { return nil }
        var output: [UInt8] = []
        switch family {
        case .chat:
            output.append(contentsOf: "data: ".utf8)
            output.append(contentsOf: problem.body(.openai, requestID: "").dropLast())
        case .messages:
            output.append(contentsOf: "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"".utf8)
            output.append(contentsOf: (problem.status == 504 ? "timeout_error" : "api_error").utf8)
            output.append(contentsOf: "\",\"message\":".utf8)
            output.append(json: problem.message)
            output.append(contentsOf: "}}".utf8)
        case .responses:
            guard let responseID else { return nil }
            output.append(contentsOf: "event: response.failed\ndata: {\"type\":\"response.failed\",".utf8)
            if let sequenceNumber {
                output.append(contentsOf: "\"sequence_number\":\(sequenceNumber + 1),".utf8)
            }
            output.append(contentsOf: "\"response\":{\"id\":".utf8)
            output.append(json: responseID)
            output.append(
                contentsOf: ",\"object\":\"response\",\"status\":\"failed\",\"output\":[],\"error\":{\"code\":".utf8)
            output.append(json: "server_error")
            output.append(contentsOf: ",\"message\":".utf8)
            output.append(json: problem.message)
            output.append(contentsOf: "}}}".utf8)
        case .typedEvents, .gemini, .converse, .bare: return nil
        }
        output.append(contentsOf: "\n\n".utf8)
        return output
    }
}
