// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import FoundationEssentials
import MenshenCore
import Testing

/// Tests/Corpus, as its README describes it.
struct CorpusCase: Sendable, CustomTestStringConvertible {
    struct Content: Decodable, Sendable {
        struct Request: Decodable, Sendable {
            var method: String
            var path: String
        }
        struct Answer: Decodable, Sendable {
            var status: Int
            var headers: [String: String]
        }
        struct Record: Decodable, Sendable {
            var dialect: String
            var operation: String
            var stream: Int?
            var end_state: String
            var problem: String?
            var finish_reason: String?
            var usage_state: String
            var answer_model: String?
            var service_tier: String?
            var asked_tier: String?
            var speed: String?
            var inference_geo: String?
            var stated_cost: Int64?
            var input_total: Int64?
            var input_uncached: Int64?
            var cache_read: Int64?
            var cache_write: Int64?
            var cache_write_ttl: Int64?
            var output_total: Int64?
            var reasoning: Int64?
            var audio_in: Int64?
            var audio_out: Int64?
            var image_in: Int64?
            var image_out: Int64?
            var seconds: Double?
            var usage_other: [String: Int64]?
        }
        var request: Request
        var answer: Answer
        var transport: String
        var record: Record
    }

    let name: String
    let content: Content
    let body: [UInt8]

    var testDescription: String { name }
    var path: String { String(content.request.path.prefix { $0 != "?" }) }
    var isStream: Bool { content.answer.headers["content-type"]?.hasPrefix("text/event-stream") == true }
    var isEncoded: Bool { content.answer.headers["content-encoding"] != nil }

    var operation: MenshenCore.Operation {
        get throws { MenshenCore.Operation(try #require(Dialect(rawValue: content.record.dialect)), path: path) }
    }

    /// nil for an answer of which nothing is read.
    var observer: AnswerObserver? {
        get throws {
            let target = try #require(RequestTarget(path: path, query: nil, providerNames: []))
            if target.isContent { return nil }
            return AnswerObserver.reading(
                try operation, contentType: content.answer.headers["content-type"] ?? "",
                asksForStream: content.record.stream == 1)
        }
    }

    static let all: [CorpusCase] = {
        let root = "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/") + "/Corpus"
        let files = FileManager.default
        var cases: [CorpusCase] = []
        for family in (try? files.contentsOfDirectory(atPath: root)) ?? [] {
            for file in (try? files.contentsOfDirectory(atPath: "\(root)/\(family)")) ?? []
            where file.hasSuffix(".json") {
                let name = "\(family)/\(file.dropLast(5))"
                guard let json = files.contents(atPath: "\(root)/\(name).json"),
                    let body = files.contents(atPath: "\(root)/\(name).body"),
                    let content = try? JSONDecoder().decode(Content.self, from: json)
                else { preconditionFailure("the corpus's case \(name) can't be read") }
                cases.append(CorpusCase(name: name, content: content, body: Array(body)))
            }
        }
        return cases.sorted { $0.name < $1.name }
    }()
}
