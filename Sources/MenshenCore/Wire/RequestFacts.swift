// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP

/// What menshen wants to know of a request beyond its head: from the body, or from the path where the API has it there.
package struct RequestFacts: Sendable, Equatable {
    package var model: String?
    package var isStream: Bool?
    /// Whom the caller says it asks for: OpenAI's `user`, Anthropic's `metadata.user_id`.
    package var endUser: String?
    package var serviceTier: String?
    /// Beside the model it names others that may be asked in its place, as gateways offer (OpenRouter's `models`, LiteLLM's
    /// `fallbacks`).
    package var namesFurtherModels = false
    /// Most output tokens that the caller wants; of several such members the largest.
    package var maxOutput: Int64?
    /// Anthropic's `speed`.
    package var speed: String?
    /// For how many seconds its input shall stay in the provider's cache: OpenAI's `prompt_cache_options.ttl`.
    package var cacheTTL: Int64?

    package init() {}

    /// What the path says, where the dialect has it there.
    package init(_ dialect: Dialect, path: String) {
        self = dialect.api.facts(path.split(separator: "/"))
    }

    /// What the body said goes before what is known already only where nothing is.
    package mutating func add(_ other: RequestFacts) {
        model = model ?? other.model
        isStream = isStream ?? other.isStream
        endUser = endUser ?? other.endUser
        serviceTier = serviceTier ?? other.serviceTier
        if other.namesFurtherModels { namesFurtherModels = true }
        maxOutput = maxOutput ?? other.maxOutput
        speed = speed ?? other.speed
        cacheTTL = cacheTTL ?? other.cacheTTL
    }

    /// A caller that got hold of a key shall not bring it into the records.
    package mutating func mask(_ keys: SecretSet) {
        model = keys.masked(model)
        endUser = keys.masked(endUser)
        serviceTier = keys.masked(serviceTier)
        speed = keys.masked(speed)
    }
}

/// Reads a JSON request body as it comes. Of duplicate keys the last counts, as it does for the providers; one that is
/// written `Model` is one of them, because servers in Go take it so.
package struct RequestScan: Sendable {
    private enum Path: Int {
        case model, stream, streamOptions, includeUsage, user, userID, serviceTier, models, fallbacks, speed, cacheTTL
        case maxTokens, maxCompletionTokens, maxOutputTokens, geminiMaxTokens, geminiSnakeMaxTokens, converseMaxTokens
    }

    private static let paths = JSONPaths(
        [
            "model", "stream", "stream_options", "stream_options.include_usage", "user", "metadata.user_id",
            "service_tier", "models", "fallbacks", "speed", "prompt_cache_options.ttl",
            "max_tokens", "max_completion_tokens", "max_output_tokens",
            "generationConfig.maxOutputTokens",
            "generation_config.max_output_tokens", "inferenceConfig.maxTokens",
        ], anyCase: "model")

    /// Of members that are wanted, in one body. It has each once, and each costs more than what is passed over.
    package static let maxFindings = 64
    /// Bytes that are looked at before the findings are counted.
    private static let pieceSize = 16 << 10

    private var scanner = JSONScanner(Self.paths)
    private var findings = 0
    package private(set) var facts = RequestFacts()
    /// The body repeats its members over and over. Nobody can say which of them counts, and no more of it is read.
    package private(set) var isExcessive = false
    /// Every one: providers differ in which of several counts.
    private var modelRanges: [Range<Int>] = []
    /// Two of them differ, or one came after `decide`.
    private var hasSeveralModels = false
    private var isDecided = false
    /// The last one is something else than a text or null.
    private var isModelText = true
    /// The last ones.
    private var streamOptions: JSONFinding?
    private var includeUsage: JSONFinding?

    package init() {}

    package mutating func reset() {
        scanner.reset()
        findings = 0
        isExcessive = false
        facts = RequestFacts()
        modelRanges.removeAll(keepingCapacity: true)
        hasSeveralModels = false
        isDecided = false
        isModelText = true
        streamOptions = nil
        includeUsage = nil
    }

    package mutating func feed(_ bytes: Span<UInt8>) {
        var start = 0
        while start < bytes.count, !isExcessive {
            let end = min(bytes.count, start + Self.pieceSize)
            scanner.feed(bytes.extracting(start..<end))
            start = end
            if !scanner.found.isEmpty { takeFindings() }
        }
    }

    private mutating func takeFindings() {
        findings += scanner.found.count
        if findings > Self.maxFindings {
            reset()
            isExcessive = true
            return
        }
        for finding in scanner.found { take(finding) }
        scanner.found.removeAll(keepingCapacity: true)
    }

    private mutating func take(_ finding: JSONFinding) {
        switch Path(rawValue: finding.path) {
        case .model:
            if isDecided || !modelRanges.isEmpty && facts.model != finding.string { hasSeveralModels = true }
            isModelText = finding.string != nil || finding.kind == .null
            facts.model = finding.string
            modelRanges.append(finding.range)
        case .stream: facts.isStream = finding.boolean
        case .user: facts.endUser = finding.string
        case .userID: facts.endUser = facts.endUser ?? finding.string
        case .serviceTier: facts.serviceTier = finding.string
        case .speed: facts.speed = finding.string
        case .cacheTTL: facts.cacheTTL = finding.string.flatMap(CacheWrite.seconds)
        case .maxTokens, .maxCompletionTokens, .maxOutputTokens, .geminiMaxTokens, .geminiSnakeMaxTokens,
            .converseMaxTokens:
            guard finding.kind == .number, let count = Int64(String(decoding: finding.text, as: UTF8.self)), count >= 0
            else { return }
            facts.maxOutput = max(facts.maxOutput ?? 0, count)
        case .includeUsage: includeUsage = finding
        case .streamOptions:
            streamOptions = finding
            // That of an earlier duplicate.
            if let inner = includeUsage, inner.range.lowerBound < finding.range.lowerBound { includeUsage = nil }
        case .models, .fallbacks: if finding.kind == .array { facts.namesFurtherModels = true }
        case nil: break
        }
    }

    /// Where the body that was fed names the model, or could.
    package var modelPlaces: ModelPlaces {
        if !modelRanges.isEmpty { return ModelPlaces(ranges: modelRanges, form: .json) }
        guard scanner.isComplete, let end = scanner.rootEnd, scanner.rootStart != nil else {
            return ModelPlaces(ranges: [], form: .json)
        }
        return ModelPlaces(ranges: [end..<end], form: .newMember(isFirst: scanner.rootIsEmpty))
    }

    /// The request goes its way by what was fed: a model that comes later is another one.
    package mutating func decide() { isDecided = true }

    /// nil: the model is `facts.model`, or the body names none. `isWhole`: all of the body has been fed.
    package func modelFault(isWhole: Bool) -> ModelFault? {
        if hasSeveralModels || isExcessive { return .several }
        if !isModelText { return .notText }
        if scanner.isFailed || isWhole && !scanner.isComplete { return .notJSON }
        return !isWhole && facts.model == nil ? .notInPrefix : nil
    }

    /// The caller asked for the usage chunk itself.
    package var asksForUsage: Bool { includeUsage?.boolean == true }

    /// What to change in `body`, which has been fed whole, so that a chat stream reports its usage; nil if nothing
    /// has to change, or if the body is not one the provider would understand anyway.
    package func usageSplice(in body: [UInt8]) -> Splice? {
        guard facts.isStream == true, scanner.isComplete, let end = scanner.rootEnd, end < body.count, !asksForUsage
        else { return nil }
        let option = #""include_usage":true"#
        guard let streamOptions else {
            let comma = scanner.rootIsEmpty ? "" : ","
            return Splice(end..<end, "\(comma)\"stream_options\":{\(option)}")
        }
        switch streamOptions.kind {
        case .null: return Splice(streamOptions.range, "{\(option)}")
        case .object:
            if let includeUsage {
                switch includeUsage.kind {
                case .false, .null: return Splice(includeUsage.range, "true")
                default: return nil
                }
            }
            let close = streamOptions.range.upperBound - 1
            guard close < body.count else { return nil }
            let isEmpty = body[streamOptions.range.lowerBound + 1..<close].allSatisfy { JSONScanner.isSpace($0) }
            return Splice(close..<close, isEmpty ? option : "," + option)
        default: return nil
        }
    }
}

/// Where a body names its model, so that it can be made to name another.
package struct ModelPlaces: Sendable, Equatable {
    enum Form: Sendable, Equatable {
        case json
        /// The object has no such member yet.
        case newMember(isFirst: Bool)
        /// The text as it is, in a form's field.
        case plain
    }

    let ranges: [Range<Int>]
    let form: Form

    /// Empty: there is no place for it.
    package func splices(_ model: String) -> [Splice] {
        var text: [UInt8] = []
        switch form {
        case .json: text.append(json: model)
        case .newMember(let isFirst):
            text.append(contentsOf: (isFirst ? "\"model\":" : ",\"model\":").utf8)
            text.append(json: model)
        case .plain: text = Array(model.utf8)
        }
        return ranges.map { Splice($0, text) }
    }
}

/// One change of a body: the bytes of a range are replaced, everything else stays as it came.
package struct Splice: Sendable, Equatable {
    package let range: Range<Int>
    package let replacement: [UInt8]

    init(_ range: Range<Int>, _ text: String) { self.init(range, Array(text.utf8)) }

    init(_ range: Range<Int>, _ bytes: [UInt8]) {
        self.range = range
        replacement = bytes
    }

    package func apply(to body: inout [UInt8]) { body.replaceSubrange(range, with: replacement) }

    /// Bytes that the body is longer by.
    package var growth: Int { replacement.count - range.count }

    /// Changes of one body, none within another. Of two at one place the first comes first.
    package static func apply(_ splices: [Splice], to body: inout [UInt8]) {
        if splices.count == 1 { return splices[0].apply(to: &body) }
        var output: [UInt8] = []
        output.reserveCapacity(splices.reduce(body.count) { $0 + $1.growth })
        var index = 0
        for (_, splice) in splices.enumerated().sorted(by: {
            ($0.element.range.lowerBound, $0.offset) < ($1.element.range.lowerBound, $1.offset)
        }) {
            output.append(body.span, index..<splice.range.lowerBound)
            output += splice.replacement
            index = splice.range.upperBound
        }
        output.append(body.span, index..<body.count)
        body = output
    }
}
