// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import MenshenStore

/// `menshen logs -f`: shows each request once, when it has ended.
struct LogFollower {
    /// Microseconds between looks at the file.
    private static let pause: UInt64 = 250_000

    private let query: LogQuery
    private var ends: RequestEnds
    private var printer: LogPrinter
    /// Those that ended between the beginning of `ends` and the first look, and were shown then.
    private var shown: Set<RequestID>

    /// `first`: what was shown, read after `ends` was made.
    init(_ ends: RequestEnds, _ query: LogQuery, _ first: [RequestRecord], _ printer: LogPrinter) {
        (self.ends, self.query, self.printer) = (ends, query, printer)
        shown = Set(first.filter { $0.answered.endState != "open" }.map(\.id))
    }

    mutating func run() throws {
        ProcessSignal.endOnInterrupt()
        let signal = ThreadSignal()
        while true {
            while true {
                let ended = try RecordsOption.orFault { try ends.next() }
                if ended.isEmpty { break }
                let wanted = ended.filter { !shown.contains($0.id) && query.matches($0) }
                if !wanted.isEmpty { printer.print(wanted, isFirst: false) }
            }
            shown = []
            signal.wait(Self.pause)
        }
    }
}
