// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import TestSupport
import Testing

/// What the observer reads of the corpus's answers, and that no way of sending them changes it.
@Suite struct CorpusTests {
    /// Everything an observer has to say.
    struct Reading: Equatable {
        var usage: Usage?
        var ending: AnswerObserver.Ending
        var model: String?
        var finishReason: String?
        var serviceTier: String?
        /// Its end is not to be taken for one, however cleanly it came.
        var isFlawed: Bool

        init(_ observer: consuming AnswerObserver) {
            usage = observer.usage
            // Line breaks between lines of data are the stream's, not the report's.
            usage?.raw = []
            ending = observer.ending
            model = observer.model
            finishReason = observer.finishReason
            serviceTier = observer.serviceTier
            isFlawed = observer.isCut || observer.needsMarker && observer.ending == .open
        }
    }

    private static let read = CorpusCase.all.filter { (try? $0.observer) != nil && !$0.isEncoded }
    private static let streams = read.filter(\.isStream)

    private func observe(_ item: CorpusCase, _ body: [UInt8], cuts: [Int] = [], ends: Bool = true) throws -> Reading {
        var observer = try #require(try item.observer)
        var from = 0
        for cut in cuts + [body.count] {
            observer.observe(body.span.extracting(from..<cut))
            from = cut
        }
        if ends { observer.end() }
        return Reading(observer)
    }

    @Test func `the corpus is there`() {
        #expect(CorpusCase.all.count > 150)
        #expect(Self.streams.count > 60)
    }

    @Test(arguments: CorpusCase.all) func `method and path tell the operation`(item: CorpusCase) throws {
        #expect(try item.operation.rawValue == item.content.record.operation)
    }

    @Test(arguments: read) func `an answer is read as its record says`(item: CorpusCase) throws {
        let record = item.content.record
        // A transport that broke off never ends the body.
        let reading = try observe(item, item.body, ends: item.content.transport == "whole")
        let usage = reading.usage ?? Usage()
        #expect((usage.inputTotal, usage.inputUncached) == (record.input_total, record.input_uncached))
        #expect(
            (usage.cacheRead, usage.cacheWrite, usage.cacheWriteTTL)
                == (record.cache_read, record.cache_write, record.cache_write_ttl))
        #expect((usage.speed, usage.inferenceGeo) == (record.speed, record.inference_geo))
        #expect(usage.statedCost?.picodollars == record.stated_cost)
        #expect((usage.outputTotal, usage.reasoning) == (record.output_total, record.reasoning))
        #expect((usage.audioIn, usage.audioOut) == (record.audio_in, record.audio_out))
        #expect((usage.imageIn, usage.imageOut, usage.seconds) == (record.image_in, record.image_out, record.seconds))
        let other = Dictionary(uniqueKeysWithValues: usage.named.map { ($0.name, $0.count) })
        #expect(other == record.usage_other ?? [:])
        #expect((reading.usage != nil) == ["reported", "partial"].contains(record.usage_state))
        #expect((reading.model, reading.finishReason) == (record.answer_model, record.finish_reason))
        if reading.serviceTier != nil { #expect(reading.serviceTier == record.service_tier) }
        switch record.end_state {
        case "stream_error": #expect(reading.ending == .failed(record.problem ?? ""))
        case "complete" where item.content.answer.status == 200: #expect(reading.ending == .complete)
        case "truncated": #expect(reading.ending == .open)
        default: break
        }
        if item.content.transport == "whole", item.content.answer.status == 200 {
            #expect(reading.isFlawed == (record.end_state == "truncated"))
        }
    }

    @Test(arguments: read) func `cutting it anywhere changes nothing`(item: CorpusCase) throws {
        let whole = try observe(item, item.body)
        #expect(try observe(item, item.body, cuts: Array(0..<item.body.count)) == whole)
        var random = SeededGenerator(state: 7)
        for _ in 0..<8 { #expect(try observe(item, item.body, cuts: random.cuts(item.body.count)) == whole) }
        // Every cut: what comes before it byte by byte, what comes after it at once. Long bodies have few kinds of places.
        var prefix = try #require(try item.observer)
        let places = item.body.count <= 3000 ? 1 : 7
        for cut in item.body.indices {
            if cut.isMultiple(of: places) {
                var observer = prefix
                observer.observe(item.body.span.extracting(cut..<item.body.count))
                observer.end()
                if Reading(observer) != whole { Issue.record("cut at \(cut): \(Reading(observer)), not \(whole)") }
            }
            prefix.observe(item.body.span.extracting(cut..<cut + 1))
        }
    }

    /// The same events in other forms that the standard allows.
    private static func forms(_ body: [UInt8]) -> [(name: String, body: [UInt8])] {
        let text = String(decoding: body, as: UTF8.self)
        guard !body.contains(13), Array(text.utf8) == body, !body.starts(with: [0xEF, 0xBB, 0xBF]) else { return [] }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        // A line that was cut off has no end; nothing may be written behind it.
        let whole = lines.dropLast()
        func join(_ lines: [String], _ end: String) -> [UInt8] {
            Array(
                (lines.map { $0 + end }.joined() + (text.hasSuffix("\n") ? "" : String(lines.isEmpty ? "" : ""))).utf8)
        }
        let tail = String(lines.last ?? "")
        func form(_ change: (Substring) -> [String], _ end: String = "\n") -> [UInt8] {
            join(whole.flatMap(change), end) + Array(tail.utf8)
        }
        return [
            ("CRLF", form({ [String($0)] }, "\r\n")),
            ("CR", form({ [String($0)] }, "\r")),
            ("BOM", [0xEF, 0xBB, 0xBF] + body),
            ("comments", form { [": a comment with data: {\"usage\":{}}", String($0), ":"] }),
            (
                "other fields",
                form {
                    $0.isEmpty ? ["id: 7", "retry: 10", "data", ""].filter { $0 != "data" } : [String($0), "date: {}"]
                }
            ),
            ("no space", form { [$0.hasPrefix("data: {") ? "data:" + $0.dropFirst(6) : String($0)] }),
            ("more lines", form { $0.hasPrefix("data: {") ? ["data: {", "data: " + $0.dropFirst(7)] : [String($0)] }),
        ]
    }

    @Test(arguments: streams) func `other forms of the same events change nothing`(item: CorpusCase) throws {
        let whole = try observe(item, item.body)
        var random = SeededGenerator(state: 11)
        for (name, body) in Self.forms(item.body) {
            for cuts in [[], Array(0..<body.count), random.cuts(body.count)] {
                let reading = try observe(item, body, cuts: cuts)
                #expect(reading == whole, "\(name)")
            }
        }
    }

    @Test(arguments: streams) func `a stream that is cut off is never taken for a whole one`(item: CorpusCase) throws {
        guard item.content.record.end_state == "complete", item.content.answer.status == 200 else { return }
        var observer = try #require(try item.observer)
        guard observer.needsMarker else { return }
        var completeAt: Int?
        for index in item.body.indices {
            observer.observe(item.body.span.extracting(index..<index + 1))
            if completeAt == nil, observer.ending != .open { completeAt = index }
            if completeAt != nil { #expect(observer.ending == .complete) }
        }
        // The marker is the last event that is not a comment or a ping.
        if let completeAt {
            let rest = String(decoding: item.body[(completeAt + 1)...], as: UTF8.self)
            #expect(!rest.contains("data: {") || rest.contains("ping"), "\(rest)")
        }
    }
}
