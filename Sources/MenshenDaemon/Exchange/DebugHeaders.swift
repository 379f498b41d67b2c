// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import MenshenCore

/// The headers of `server.debug_headers`: how an answer came about, as far as that is known when its head is written.
enum DebugHeaders {
    /// Lines for a head; none for whom nothing let in, and for menshen's own pages. `asked`: when the
    /// provider was asked whose answer is just coming, and of which there is no record yet; monotonic microseconds.
    static func lines(of exchange: Exchange, _ asked: UInt64?) -> [UInt8] {
        guard exchange.access.grant != nil, exchange.resolved?.page == nil else { return [] }
        var lines: [UInt8] = []
        if exchange.walk.provider != nil { add("x-menshen-provider", exchange.providerName, to: &lines) }
        let tried = exchange.walk.attempts
        add("x-menshen-attempts", "\(tried.count + (asked == nil ? 0 : 1))", to: &lines)
        if costsNothing(exchange, asked) { add("x-menshen-cost", "0", to: &lines) }
        if let budget = exchange.allowance.remainder(exchange) {
            add("x-menshen-budget-remaining", budget, to: &lines)
        }
        let now = Clock.monotonic()
        let before = tried.reduce(0) { $0 + max(0, $1.endedMicroseconds - $1.startedMicroseconds) }
        var timing = "queue;dur=\(milliseconds(Int64(clamping: exchange.walk.queued(now: now))))"
        timing += ", attempts;dur=\(milliseconds(before));desc=\"\(tried.count)\""
        if let asked { timing += ", provider;dur=\(milliseconds(Int64(clamping: now &- asked)))" }
        timing += ", first_byte;dur=\(milliseconds(Int64(clamping: now - exchange.startedAt)))"
        add("Server-Timing", timing, to: &lines)
        return lines
    }

    /// A provider says what its answer costs in the body, or behind it: of that the head can't tell. Where none has worked,
    /// there is nothing to pay.
    private static func costsNothing(_ exchange: Exchange, _ asked: UInt64?) -> Bool {
        asked == nil && !exchange.walk.wasSent()
    }

    private static func add(_ name: StaticString, _ value: String, to lines: inout [UInt8]) {
        lines.append(ascii: name)
        lines.append(ascii: ": ")
        lines.append(contentsOf: value.utf8)
        lines.append(ascii: "\r\n")
    }

    /// With one place behind the point.
    private static func milliseconds(_ microseconds: Int64) -> String {
        let tenths = max(0, microseconds + 50) / 100
        return "\(tenths / 10).\(tenths % 10)"
    }
}
