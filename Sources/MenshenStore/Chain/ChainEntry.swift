// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Crypto
internal import MenshenCore
internal import SQLite

/// One link: what a transaction has settled, with a hash over itself and the link before. Rows that one transaction settles
/// share a link; each has a hash of its own in it, so that a fault can be told by the request's id.
package struct ChainEntry: Sendable {
    package enum Act: String, Sendable {
        /// The chain begins. Rows up to this id are older than it.
        case begun
        /// Requests have ended.
        case settled
        /// Requests have ended otherwise than it was said: the journal knew more.
        case corrected
        /// `menshen prices recompute` has changed what they cost.
        case recomputed
        /// Old rows were deleted.
        case expired
    }

    /// A row, and the first half of its hash.
    struct Member: Equatable {
        static let size = 24
        let id: Int64
        let first: UInt64
        let second: UInt64
    }

    /// What stays of what was deleted.
    struct Anchor {
        static let size = 48
        /// Rows with smaller ids are gone.
        let bound: Int64
        /// The last link that went with them, and its hash; 0 if none did.
        let seq: Int64
        let hash: [UInt8]
    }

    package let seq: Int64
    /// Microseconds since 1970.
    package let at: Int64
    package let act: Act
    let hash: [UInt8]
    let rows: [UInt8]

    /// The hash before the first link.
    static let origin = [UInt8](repeating: 0, count: DigestMachine.count)
    static let columns = "seq, at, act, hash, rows"

    /// nil: a link that no menshen has written.
    init?(_ row: Statement) {
        guard let seq = row.integer(0), let at = row.integer(1), let act = row.text(2).flatMap(Act.init),
            let hash = row.bytes(3), hash.count == DigestMachine.count, let rows = row.bytes(4)
        else { return nil }
        (self.seq, self.at, self.act, self.hash, self.rows) = (seq, at, act, hash, rows)
        switch act {
        case .begun: if rows.count != 8 { return nil }
        case .expired: if rows.count != Anchor.size { return nil }
        case .settled, .corrected, .recomputed: if rows.count % Member.size != 0 { return nil }
        }
    }

    static func hash(
        after previous: [UInt8], _ seq: Int64, _ at: Int64, _ act: Act, _ rows: [UInt8], _ machine: DigestMachine
    ) -> [UInt8] {
        var message = previous
        message.reserveCapacity(previous.count + 32 + rows.count)
        append(seq, to: &message)
        append(at, to: &message)
        message += act.rawValue.utf8
        message.append(0)
        message += rows
        var hash: [UInt8] = []
        message.withUnsafeBytes { machine.digest(of: $0) { hash = Array($0) } }
        return hash
    }

    func follows(_ previous: [UInt8], _ machine: DigestMachine) -> Bool {
        Self.hash(after: previous, seq, at, act, rows, machine) == hash
    }

    // MARK: What it is about

    var hasMembers: Bool { act == .settled || act == .corrected || act == .recomputed }

    var members: [Member] {
        rows.withUnsafeBytes { bytes in
            (0..<(hasMembers ? bytes.count / Member.size : 0)).map { index in
                let place = index * Member.size
                return Member(
                    id: Int64(bigEndian: bytes.loadUnaligned(fromByteOffset: place, as: Int64.self)),
                    first: bytes.loadUnaligned(fromByteOffset: place + 8, as: UInt64.self),
                    second: bytes.loadUnaligned(fromByteOffset: place + 16, as: UInt64.self))
            }
        }
    }

    /// The largest id of a row that needs this link.
    var last: Int64? {
        switch act {
        case .begun: number(0)
        case .expired: nil
        case .settled, .corrected, .recomputed: members.map(\.id).max()
        }
    }

    /// Rows up to it are older than the chain.
    var begin: Int64? { act == .begun ? number(0) : nil }

    var anchor: Anchor? {
        act == .expired ? Anchor(bound: number(0), seq: number(8), hash: Array(rows[16...])) : nil
    }

    private func number(_ place: Int) -> Int64 {
        rows.withUnsafeBytes { Int64(bigEndian: $0.loadUnaligned(fromByteOffset: place, as: Int64.self)) }
    }

    static func append(_ number: Int64, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
    }
}

/// A link by its number and the beginning of its hash, as people and programs keep it: to go on behind it, or to see later that
/// it is still there.
package struct ChainPlace: Sendable, Equatable, CustomStringConvertible {
    package let seq: Int64
    /// 16 characters.
    package let mark: String

    init(origin: Void) { (seq, mark) = (0, "") }

    init(_ entry: ChainEntry) {
        seq = entry.seq
        mark = Self.mark(entry.hash)
    }

    /// "12:0011223344556677"
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let seq = Int64(parts[0]), seq >= 0, parts[1].utf8.count == 16 || seq == 0 else {
            return nil
        }
        self.seq = seq
        mark = String(parts[1])
    }

    package var description: String { "\(seq):\(mark)" }

    static func mark(_ hash: [UInt8]) -> String {
        hash.prefix(8).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
