// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import HTTP
import Testing

/// Our reading of requests against llhttp's. A request that ours takes for one thing and another parser for something
/// else is what request smuggling is made of, so what ours accepts, llhttp must accept as the same.
@Suite struct DifferentialTests {
    @Test func `what ours accepts llhttp accepts as the same, and the arrival in pieces changes nothing`() throws {
        var accepted = 0
        var refused = 0
        try Comparison.run("requests against llhttp") { generator in
            let stream = generator.stream()
            let reading = Reading(stream)
            accepted += reading.messages.count
            if reading.ending != .waiting { refused += 1 }
            let cuts = generator.cuts(stream.count)
            var fault = try LLHTTPReading.disagreement(reading, stream)
            if fault == nil, Reading(stream, cuts: cuts) != reading {
                fault = "cut at \(cuts): \(Reading(stream, cuts: cuts))"
            }
            return (stream, fault)
        }
        print("requests against llhttp: \(accepted) messages accepted, \(refused) streams refused")
        // A generator that makes only good or only bad streams would prove nothing.
        #expect(accepted > Comparison.cases / 3)
        #expect(refused > Comparison.cases / 5)
    }

    @Test(arguments: failCases) func `an input that once told the two apart no longer does`(_ text: String) throws {
        let stream = Array(text.utf8)
        let reading = Reading(stream)
        #expect(try LLHTTPReading.disagreement(reading, stream) == nil)
        for cut in stream.indices.dropFirst() {
            #expect(Reading(stream, cuts: [cut]) == reading, "cut at \(cut)")
        }
    }

    @Test func `a disagreement would be seen`() throws {
        let stream = Array("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc".utf8)
        let reading = Reading(stream)
        #expect(try LLHTTPReading.disagreement(reading, stream) == nil)
        for change: (inout Reading.Message) -> Void in [
            { $0.end -= 1 }, { $0.body = [1] }, { $0.method = "GET" }, { $0.fields.removeLast() },
            { $0.keepAlive = false },
            { $0.fields[0].value = "x" }, { $0.target = "/x" }, { $0.minor = 0 },
        ] {
            var wrong = reading
            change(&wrong.messages[0])
            #expect(try LLHTTPReading.disagreement(wrong, stream) != nil)
        }
    }
}
