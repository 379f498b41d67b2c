// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import MenshenCore
import Testing

@Suite struct TraceContextTests {
    private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    private static let span = "00f067aa0ba902b7"

    @Test func `trace, span, flag and state of the caller are read`() throws {
        let context = try #require(TraceContext(parent: "00-\(Self.trace)-\(Self.span)-01", state: "a=1"))
        #expect(Hexadecimal.text(context.traceID) == Self.trace)
        #expect(Hexadecimal.text(context.spanID) == Self.span)
        #expect(context.isSampled)
        #expect(context.state == "a=1")
        #expect(TraceContext(parent: "00-\(Self.trace)-\(Self.span)-00")?.isSampled == false)
    }

    @Test func `a later version may say more, and this one may not`() {
        #expect(TraceContext(parent: "01-\(Self.trace)-\(Self.span)-01-more") != nil)
        #expect(TraceContext(parent: "00-\(Self.trace)-\(Self.span)-01-more") == nil)
    }

    @Test(arguments: [
        "", "00", "ff-\(trace)-\(span)-01", "00-\(trace)-0000000000000000-01",
        "00-00000000000000000000000000000000-\(span)-01", "00-\(trace.uppercased())-\(span)-01",
        "00-\(trace)-\(span)", "00-\(trace)0-\(span)-01", "00-\(trace)-\(span)-1", "00-\(trace)-\(span)-zz",
    ])
    func `what is not in order is no context`(text: String) {
        #expect(TraceContext(parent: text) == nil)
    }

    @Test func `a state that is too long or not plain is not carried`() {
        let parent = "00-\(Self.trace)-\(Self.span)-01"
        #expect(TraceContext(parent: parent, state: String(repeating: "x", count: 513))?.state == nil)
        #expect(TraceContext(parent: parent, state: "a=\u{1}")?.state == nil)
    }

    @Test func `a sampler goes by the caller's flag, or by the trace alone`() throws {
        let asked = try #require(TraceContext(parent: "00-\(Self.trace)-\(Self.span)-01"))
        let unasked = try #require(TraceContext(parent: "00-\(Self.trace)-\(Self.span)-00"))
        let standard = TraceSampler.standard
        #expect(standard.takes(asked.traceID, parent: asked))
        #expect(!standard.takes(unasked.traceID, parent: unasked))
        #expect(standard.takes(asked.traceID, parent: nil))
        let never = try #require(TraceSampler(name: "parentbased_always_off", argument: nil))
        #expect(never.takes(asked.traceID, parent: asked))
        #expect(!never.takes(asked.traceID, parent: nil))
        let always = try #require(TraceSampler(name: "always_on", argument: nil))
        #expect(always.takes(unasked.traceID, parent: unasked))
    }

    @Test func `of many traces a quarter is taken if a quarter is asked for`() throws {
        let sampler = try #require(TraceSampler(name: "traceidratio", argument: "0.25"))
        let taken = (0..<256).filter { sampler.takes(Array(repeating: UInt8($0), count: 16), parent: nil) }
        #expect(taken.count == 64)
    }

    @Test(arguments: [("sometimes", nil), ("traceidratio", "2"), ("traceidratio", "x")] as [(String, String?)])
    func `a sampler that is not known is none`(name: String, argument: String?) {
        #expect(TraceSampler(name: name, argument: argument) == nil)
    }
}
