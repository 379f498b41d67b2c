// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP

extension Dialect {
    package static var bedrock: Dialect { Dialect(Bedrock.self) }
}

/// The runtime of Amazon's Bedrock: Converse, and InvokeModel, whose bodies are those of the model's own API. Its ids of
/// models may be ARNs, whose slashes are escaped; its SDKs escape the ":" as well, and a signature is over the path as it
/// is sent.
enum Bedrock: ProviderAPI {
    static var name: String { "bedrock" }
    /// Models are listed by another server; this one lists its asynchronous invocations.
    static func probe(_ address: BaseURL) -> String { "/async-invoke?maxResults=1" }
    static var version: Substring? { nil }
    static var escapesPaths: Bool { true }
    static var isSigned: Bool { true }

    static var ownFields: [FieldName] { [.amazonDate, .amazonInvocation] }
    static func isOwn(authorization: ArraySlice<UInt8>) -> Bool { TokenGate.isSignature(authorization) }

    /// /model/ID/converse and its like.
    static func owns(_ path: String) -> Bool {
        guard path.hasPrefix("/model/") else { return false }
        switch path.split(separator: "/").dropFirst(2).last {
        case "converse", "converse-stream", "invoke", "invoke-with-response-stream": return true
        default: return false
        }
    }

    static func operation(_ segments: [Substring]) -> Operation {
        switch segments.last {
        case "converse": .converse
        case "converse-stream": .converseStream
        case "invoke": .invoke
        case "invoke-with-response-stream": .invokeStream
        default: .other
        }
    }

    /// /model/ID/converse-stream; the id may be encoded, an ARN with slashes always is.
    static func facts(_ segments: [Substring]) -> RequestFacts {
        var facts = RequestFacts()
        guard segments.count >= 3, segments[0] == "model" else { return facts }
        facts.model = PercentEncoding.decode(segments[1])
        facts.isStream = segments[2].hasSuffix("-stream")
        return facts
    }

    static func put(_ model: String, into segments: inout [String]) -> Bool {
        guard segments.count > 3, segments[1] == "model" else { return false }
        segments[2] = model
        return true
    }

    // MARK: Addresses

    /// "bedrock-runtime.REGION.amazonaws.com", and the same behind the name of a VPC endpoint.
    private static let services: Set<Substring> = ["bedrock-runtime", "bedrock-runtime-fips"]

    static func isHost(_ host: Substring) -> Bool {
        let labels = host.split(separator: ".")
        guard let place = labels.firstIndex(where: services.contains) else { return false }
        return labels[(place + 1)...].contains { $0 == "amazonaws" || $0 == "aws" }
    }

    static func region(of address: BaseURL) -> String? {
        guard address.socketPath == nil, isHost(address.host) else { return nil }
        let labels = address.host.split(separator: ".")
        guard let place = labels.firstIndex(where: services.contains), place + 1 < labels.count else { return nil }
        let name = String(labels[place + 1])
        return isName(name, "-") ? name : nil
    }

    /// Letters, digits and one further character; it becomes part of a signature's scope.
    static func isName(_ text: String, _ further: Unicode.Scalar) -> Bool {
        (1...128).contains(text.utf8.count)
            && text.unicodeScalars.allSatisfy {
                switch $0 {
                case "0"..."9", "A"..."Z", "a"..."z", further: true
                default: false
                }
            }
    }

    // MARK: Errors

    static let passingErrors: Set = ["internalServerException"]

    static func remedy(of code: String) -> AttemptOutcome.Remedy? {
        switch code {
        case "throttlingException": .otherKeyOrProvider
        case "accessDeniedException": .otherKey
        case "validationException", "resourceNotFoundException": AttemptOutcome.Remedy.none
        default: nil
        }
    }

    // MARK: Usage

    /// By Converse, and by what is added to a model's stream.
    static let usage = UsageTable(
        [
            "inputTokens": .inputUncached,
            "outputTokens": .output,
            "cacheReadInputTokens": .cacheRead,
            "cacheWriteInputTokens": .cacheWritten,
            "cacheDetails[]": .lifetime,
            "cacheDetails[].ttl": .lifetimeName, "cacheDetails[].inputTokens": .lifetimeCount,
            "inputTokenCount": .inputUncached,
            "outputTokenCount": .output,
            "cacheReadInputTokenCount": .cacheRead,
            "cacheWriteInputTokenCount": .cacheWritten,
        ], totals: Anthropic.addUpInput)

    // MARK: Answers

    static func answers(_ operation: Operation) -> AnswerFormat? {
        switch operation {
        case .converse: converse
        case .converseStream: converseStream
        case .invoke: Anthropic.messages
        case .invokeStream: invokeStream
        default: nil
        }
    }

    private static let converse = AnswerFormat(
        usage, .init(preamble: preamble, last: ["metadata"], end: "messageStop"),
        ["stopReason": .finishReason, "usage": .usage])

    /// The type of an event stands in its frame, and the usage comes behind the end.
    private static let converseStream = AnswerFormat(
        usage, .init(hasMarker: true, preamble: preamble, last: ["metadata"], end: "messageStop"),
        ["stopReason": .finishReason, "usage": .usage])

    private static let preamble = ["messageStart", "initial-response"]

    /// The last event of each model's stream has Bedrock's own count.
    private static let invokeStream = AnswerFormat(
        Anthropic.usage, wrapped, Anthropic.fields, ["amazon-bedrock-invocationMetrics": .sideUsage], sideUsage: usage,
        closing: Anthropic.errorEvent)

    private static let wrapped: AnswerFormat.Stream = {
        var stream = Anthropic.stream
        stream.endsBySideUsage = true
        stream.isWrapped = true
        return stream
    }()

    // MARK: Errors

    static func write(_ problem: Problem, requestID: String, to output: inout [UInt8]) {
        output.append(contentsOf: #"{"message":"#.utf8)
        output.append(json: problem.message)
        output.append(contentsOf: "}".utf8)
    }

    /// The SDKs know an error by this name.
    static func field(of problem: Problem) -> (name: String, value: String)? {
        ("x-amzn-ErrorType", errorType(problem.status))
    }

    private static func errorType(_ status: Int) -> String {
        switch status {
        case 401, 403: "AccessDeniedException"
        case 404: "ResourceNotFoundException"
        case 408, 504: "ModelTimeoutException"
        case 429: "ThrottlingException"
        case 502, 503: "ServiceUnavailableException"
        case 500...599: "InternalServerException"
        default: "ValidationException"
        }
    }
}
