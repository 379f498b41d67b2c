// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

/// What is to be known of a connection to say whether it has to go for another.
protocol Admitted: AnyObject {
    var isTCP: Bool { get }
    /// On TCP, and no request has made its caller known yet.
    var isNewcomer: Bool { get set }
    /// It is read only so that its caller finds its answer.
    var isLingering: Bool { get }
    var isClosed: Bool { get }
}

/// Counts a worker's connections by what is known of them, and says which has to go when there are too many: those of
/// callers that no request has made known, and those that are read only to be thrown away.
struct Admission<Guest: Admitted> {
    /// Connections that linger at a time.
    private static var maxLingering: Int { 256 }

    private var tcp = 0
    private var newcomers = AgeQueue<Guest> { $0.isNewcomer }
    private var lingering = AgeQueue<Guest> { $0.isLingering }
    /// Most connections since memory was given back.
    private var peak = 0

    mutating func opened(_ connection: Guest) {
        if connection.isTCP { tcp += 1 }
        if connection.isNewcomer { newcomers.add(connection) }
    }

    mutating func closed(_ connection: Guest) {
        if connection.isTCP { tcp -= 1 }
        leaves(connection)
        lingering.tidy()
    }

    /// It is a newcomer no longer.
    mutating func leaves(_ connection: Guest) {
        guard connection.isNewcomer else { return }
        connection.isNewcomer = false
        newcomers.tidy()
    }

    /// Returns the one that has lingered longest if there are too many.
    mutating func lingers(_ connection: Guest) -> Guest? {
        leaves(connection)
        lingering.add(connection)
        return lingering.oldest(above: Self.maxLingering)
    }

    func hasRoom(for isTCP: Bool, of count: Int, _ settings: ConnectionSettings) -> Bool {
        count < settings.maxConnections && (!isTCP || tcp < settings.maxTCP)
    }

    /// Who has to go before another may come; nil if nobody has to, or can.
    mutating func leaver(for isTCP: Bool, of count: Int, _ settings: ConnectionSettings) -> Guest? {
        if !hasRoom(for: isTCP, of: count, settings) {
            return lingering.oldest(above: 0) ?? newcomers.oldest(above: 0)
        }
        return isTCP ? newcomers.oldest(above: settings.maxNewcomers - 1) : nil
    }

    /// True when half of many connections have gone: what they held is worth giving back.
    mutating func hasShrunk(to count: Int) -> Bool {
        peak = max(peak, count + 1)
        guard peak >= 64, count * 2 < peak else { return false }
        peak = count
        return true
    }
}

/// Connections in the order in which they came to be of one kind. Those that ceased to be of it are dropped in bulk.
private struct AgeQueue<Guest: Admitted> {
    private let isMember: (Guest) -> Bool
    private var queue: [Guest] = []
    private var first = 0
    /// Changes since it was last tidied.
    private var stale = 0

    init(_ isMember: @escaping (Guest) -> Bool) { self.isMember = isMember }

    mutating func add(_ connection: Guest) { queue.append(connection) }

    mutating func tidy() {
        stale += 1
        if stale > 32 + queue.count / 2 { clean() }
    }

    private mutating func clean() {
        queue = queue[first...].filter { !$0.isClosed && isMember($0) }
        first = 0
        stale = 0
    }

    /// The oldest if there are more than `limit`.
    mutating func oldest(above limit: Int) -> Guest? {
        guard queue.count - first > limit else { return nil }
        if stale > 0 { clean() }
        guard queue.count - first > limit else { return nil }
        first += 1
        return queue[first - 1]
    }
}
