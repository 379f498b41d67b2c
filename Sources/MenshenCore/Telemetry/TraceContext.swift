// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

package import HTTP

/// The trace that a caller says its request belongs to (W3C Trace Context).
package struct TraceContext: Sendable, Equatable {
    package let traceID: [UInt8]
    /// The caller's span.
    package let spanID: [UInt8]
    package let flags: UInt8
    /// As it came; nil without any.
    package let state: String?

    package var isSampled: Bool { flags & 1 == 1 }

    private static let parentName = Array("traceparent".utf8)
    private static let stateName = Array("tracestate".utf8)
    /// What the standard asks everybody to carry.
    private static let longestState = 512

    /// nil without `traceparent`, with two, and with one that is not in order: then a trace begins here.
    package init?(_ head: RequestHead) {
        let bytes = head.bytes.span
        var parent: Range<Int>?
        var states: [String] = []
        for field in head.fields {
            if bytes.equals(Self.parentName, in: field.name) {
                if parent != nil { return nil }
                parent = field.value
            } else if bytes.equals(Self.stateName, in: field.name) {
                states.append(head.text(field.value))
            }
        }
        guard let parent else { return nil }
        self.init(parent: head.text(parent), state: states.joined(separator: ","))
    }

    package init?(parent: String, state: String = "") {
        let parts = parent.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard parts.count >= 4, let version = Hexadecimal.bytes(parts[0]), version.count == 1, version != [0xFF],
            // Later versions may have more behind it.
            parts.count == 4 || version != [0],
            let trace = Hexadecimal.bytes(parts[1]), trace.count == 16, trace.contains(where: { $0 != 0 }),
            let span = Hexadecimal.bytes(parts[2]), span.count == 8, span.contains(where: { $0 != 0 }),
            let flags = Hexadecimal.bytes(parts[3]), flags.count == 1
        else { return nil }
        traceID = trace
        spanID = span
        self.flags = flags[0]
        let isPlain = state.utf8.allSatisfy { (0x20...0x7E).contains($0) } && state.utf8.count <= Self.longestState
        self.state = state.isEmpty || !isPlain ? nil : state
    }
}

/// Which requests become spans. The raw values are those of `OTEL_TRACES_SAMPLER`.
package struct TraceSampler: Sendable, Equatable {
    /// Goes by the caller's flag where there is one.
    package let followsParent: Bool
    /// Of the traces that begin here: 0 none, 1 all.
    package let ratio: Double

    package static let standard = TraceSampler(followsParent: true, ratio: 1)

    package init(followsParent: Bool, ratio: Double) {
        self.followsParent = followsParent
        self.ratio = ratio
    }

    /// nil for a name that is not known, or an argument that is no share.
    package init?(name: String, argument: String?) {
        let isParentBased = name.hasPrefix("parentbased_")
        let ratio: Double?
        switch isParentBased ? String(name.dropFirst("parentbased_".utf8.count)) : name {
        case "always_on": ratio = 1
        case "always_off": ratio = 0
        case "traceidratio": ratio = argument.map { Double($0) } ?? 1
        default: ratio = nil
        }
        guard let ratio, (0...1).contains(ratio) else { return nil }
        self.init(followsParent: isParentBased, ratio: ratio)
    }

    /// By the last seven bytes of the trace's id, which the standard wants to be random, so that all who ask agree.
    package func takes(_ traceID: [UInt8], parent: TraceContext?) -> Bool {
        if followsParent, let parent { return parent.isSampled }
        if ratio >= 1 { return true }
        let random = traceID.suffix(7).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return Double(random) * 0x1p-56 < ratio
    }
}
