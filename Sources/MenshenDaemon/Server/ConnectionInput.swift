// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What a caller has sent and nothing has taken yet.
struct ConnectionInput {
    private var bytes: [UInt8] = []
    /// Bytes before that are done with.
    private var taken = 0

    var unread: Int { bytes.count - taken }
    var isEmpty: Bool { bytes.isEmpty }

    mutating func append(_ fresh: UnsafeRawBufferPointer) { bytes.append(contentsOf: fresh) }

    func withUnread<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[taken...])) }
    }

    mutating func take(_ count: Int) {
        // It may have been dropped meanwhile.
        taken = min(taken + count, bytes.count)
        if taken == bytes.count { return drop() }
        guard taken >= bytes.count / 2 else { return }
        // Each byte is moved once at most for each that is done with.
        bytes.removeFirst(taken)
        taken = 0
    }

    mutating func drop() {
        bytes = []
        taken = 0
    }
}

/// Why a connection is not read.
struct ReadStops: OptionSet {
    let rawValue: UInt8

    /// The caller has said its last.
    static let ended = ReadStops(rawValue: 1)
    /// The exchange has no room for more of the body.
    static let paused = ReadStops(rawValue: 2)
    /// What is there has to be worked off first.
    static let full = ReadStops(rawValue: 4)
}
