// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Decodes one body, piece by piece as it comes, with bounded memory and bounded work: a few bytes cannot make it write
/// for seconds. Bytes that a sender flushed come out of the call that got them.
package final class Decoder {
    package enum Outcome: Sendable, Equatable {
        /// The coded body is not over.
        case more
        /// The coded body is over. gzip and zstd may go on with a further member.
        case ended
        /// Not what its coding says; nothing more comes out.
        case corrupt
        /// More output than `limit` or `ratio` allows, or a larger window than menshen keeps; nothing more comes out.
        case tooMuch
    }

    /// Decoded bytes of one body: four of the largest requests that are taken.
    package static let defaultLimit = 256 << 20
    /// Decoded bytes that a coded byte may become once `free` is used up. A stream of 20,000 chat chunks is 43 to 50, the
    /// same words over and over 160 in deflate; deflate ends at 1032, brotli and zstd nowhere.
    static let ratio = 200
    /// Decoded bytes that need no coded ones: small answers may repeat themselves.
    static let free = 4 << 20

    /// What the last call said; a body that ends at `.more` is truncated.
    package private(set) var outcome = Outcome.more
    private let engine: (any DecodingEngine)?
    private let limit: Int
    private var scratch: UnsafeMutableRawBufferPointer
    private var taken = 0
    private var made = 0

    /// nil if there is no memory for it.
    package init?(_ coding: ContentCoding, limit: Int = Decoder.defaultLimit) {
        switch coding {
        case .identity: engine = nil
        case .gzip: engine = Inflate(.gzip)
        case .deflate: engine = Inflate(.deflate)
        case .brotli: engine = Brotli()
        case .zstd: engine = Zstd()
        }
        self.limit = limit
        scratch = .allocate(byteCount: engine == nil ? 0 : 16 << 10, alignment: 16)
        if engine == nil, coding != .identity { return nil }
    }

    deinit { scratch.deallocate() }

    /// Takes the next piece of the coded body; `output` gets what it stands for in pieces of up to 16 KiB, each valid
    /// during its call.
    package func decode(_ input: UnsafeRawBufferPointer, _ output: (UnsafeRawBufferPointer) -> Void) -> Outcome {
        if input.isEmpty || outcome == .corrupt || outcome == .tooMuch { return outcome }
        taken &+= input.count
        guard let engine else {
            made &+= input.count
            output(input)
            return outcome
        }
        var rest = input
        while step(engine, &rest, output) {}
        return outcome
    }

    /// Takes the next of a coded body that is there already, from `index` on, which it moves: about `pause` bytes at most of
    /// it or of what it stands for. True once there is nothing more to come.
    package func decode(
        _ body: UnsafeRawBufferPointer, from index: inout Int, pause: Int, _ output: (UnsafeRawBufferPointer) -> Void
    ) -> Bool {
        guard let engine, outcome != .corrupt, outcome != .tooMuch else { return true }
        // All of it, however much is read by now: the ratio is the body's.
        taken = body.count
        let end = made &+ pause
        let part = UnsafeRawBufferPointer(rebasing: body[index..<min(body.count, index &+ pause)])
        var rest = part
        var goesOn = true
        while goesOn, made < end { goesOn = step(engine, &rest, output) }
        index &+= part.count &- rest.count
        if goesOn { return false }
        // What is left then is nothing that belongs to it.
        return index == body.count || !rest.isEmpty || outcome == .corrupt || outcome == .tooMuch
    }

    /// One call of the library; false when it has nothing more to say to what it was given.
    private func step(
        _ engine: any DecodingEngine, _ rest: inout UnsafeRawBufferPointer, _ output: (UnsafeRawBufferPointer) -> Void
    ) -> Bool {
        let (grown, overflow) = taken.multipliedReportingOverflow(by: Self.ratio)
        let left = rest.count
        let (count, step) = engine.step(&rest, scratch)
        made &+= count
        if made > (overflow ? limit : min(limit, grown &+ Self.free)) {
            outcome = .tooMuch
            return false
        }
        if count > 0 { output(UnsafeRawBufferPointer(rebasing: scratch[..<count])) }
        switch step {
        case .again:
            // A library that neither reads nor writes would be asked for ever.
            if count > 0 || rest.count < left { return true }
            outcome = .corrupt
        case .hungry: outcome = .more
        case .ended: outcome = .ended
        case .corrupt: outcome = .corrupt
        case .tooMuch: outcome = .tooMuch
        }
        return false
    }
}

/// What a step of decoding came to.
enum DecodingStep {
    /// The output is full, or input is left.
    case again
    /// All input is read and all of its output written.
    case hungry
    case ended, corrupt, tooMuch
}

/// One library at work on one body.
protocol DecodingEngine: AnyObject {
    /// Decodes from the start of `input`, which it shortens, into `output`; returns how much was written.
    func step(_ input: inout UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer) -> (Int, DecodingStep)
}
