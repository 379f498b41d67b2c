// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// Input that was written to a provider's cache and stays there for a certain time.
package struct CacheWrite: Sendable, Equatable {
    package let seconds: Int64
    package var tokens: Int64

    package init(seconds: Int64, tokens: Int64) {
        self.seconds = seconds
        self.tokens = tokens
    }

    package static let fiveMinutes: Int64 = 300
    package static let hour: Int64 = 3600

    /// Of "5m", "30m", "1h", "12h", as providers write it; nil for anything else.
    package static func seconds(of text: String) -> Int64? {
        guard let unit = text.utf8.last, text.utf8.count <= 6, let count = Int64(text.dropLast()), count > 0,
            text.utf8.first != UInt8(ascii: "+")
        else { return nil }
        switch unit {
        case UInt8(ascii: "s"): return count
        case UInt8(ascii: "m"): return count * 60
        case UInt8(ascii: "h"): return count * 3600
        case UInt8(ascii: "d"): return count * 86_400
        default: return nil
        }
    }

    /// Of "cache_write_5m": what records call the count where a request has several of them.
    package var name: String {
        let (count, unit) =
            seconds.isMultiple(of: 3600)
            ? (seconds / 3600, "h") : seconds.isMultiple(of: 60) ? (seconds / 60, "m") : (seconds, "s")
        return Self.prefix + "\(count)\(unit)"
    }

    private static let prefix = "cache_write_"

    /// Of what `name` says; nil for any other count.
    init?(_ count: Usage.Extra) {
        guard count.name.hasPrefix(Self.prefix),
            let seconds = Self.seconds(of: String(count.name.dropFirst(Self.prefix.count)))
        else { return nil }
        self.init(seconds: seconds, tokens: count.count)
    }
}

extension Usage {
    /// For how many seconds all that was written is kept; nil if that is not known, or not the same for all of it.
    package var cacheWriteTTL: Int64? {
        lifetimes.count == 1 && lifetimes[0].tokens == cacheWrite ? lifetimes[0].seconds : nil
    }

    /// The provider does not say how long it keeps what it has written; the request did.
    package mutating func assume(lifetime seconds: Int64?) {
        guard lifetimes.isEmpty, let seconds, let cacheWrite, cacheWrite > 0 else { return }
        lifetimes = [CacheWrite(seconds: seconds, tokens: cacheWrite)]
    }

    mutating func add(_ write: CacheWrite) {
        guard write.tokens > 0 else { return }
        if let index = lifetimes.firstIndex(where: { $0.seconds == write.seconds }) {
            lifetimes[index].tokens = Self.sum(lifetimes[index].tokens, write.tokens)
        } else {
            lifetimes.append(write)
        }
    }

    /// Takes what `named` and `cacheWriteTTL` have given.
    package mutating func take(named: [Extra], cacheWriteTTL: Int64?) {
        other = named.filter { CacheWrite($0) == nil }
        lifetimes = named.compactMap(CacheWrite.init)
        assume(lifetime: cacheWriteTTL)
    }

    /// The counts that have no column: those of one provider alone, and of cache writes where one lifetime does not say it.
    package var named: [Extra] {
        if lifetimes.isEmpty || cacheWriteTTL != nil { return other }
        return other + lifetimes.map { Extra(name: $0.name, count: $0.tokens) }
    }
}
