// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import Linux
internal import MenshenCore
internal import MenshenDaemon

/// What can be said of a running menshen from outside.
enum DaemonState {
    /// There is no place where one would be.
    case nowhere(EnvironmentFault)
    /// Systemd listens for it.
    case asleep(DaemonPlace)
    /// Nobody listens.
    case away(DaemonPlace)
    /// Somebody listens and says nothing to the purpose; a sentence.
    case silent(DaemonPlace, String)
    case answers(DaemonStatus)

    /// `mayStart`: one that sleeps is woken.
    init(_ option: DaemonOption, mayStart: Bool) {
        do throws(EnvironmentFault) {
            let path: String
            if let socket = option.socket { path = socket } else { path = try StandardPaths.socket() }
            self = Self.look(DaemonPlace(socket: path, isUsual: option.socket == nil), mayStart: mayStart)
        } catch {
            self = .nowhere(error)
        }
    }

    private static func look(_ place: DaemonPlace, mayStart: Bool) -> DaemonState {
        if !mayStart, place.isAsleep { return .asleep(place) }
        do {
            return .answers(
                DaemonStatus(place, try AdminClient.status(socket: place.socket, as: "application/json")))
        } catch let error as SystemError where error.isNobodyThere {
            return .away(place)
        } catch {
            return .silent(place, "\(error)")
        }
    }
}

/// What `/_menshen/status` says that a check looks at.
struct DaemonStatus {
    let place: DaemonPlace
    let look: TopLook
    private(set) var configuration = ""
    /// When that was read, in microseconds since 1970; 0: an older menshen does not say.
    private(set) var configuredAt: Int64 = 0
    private(set) var database = ""
    private(set) var journal: JournalKeeping?
    /// Why the configuration, TCP, tokens or the cache can't be used.
    private(set) var fault: String?
    private(set) var tcpFault: String?
    private(set) var accessFault: String?
    private(set) var cacheFault: String?
    private(set) var backlog: Int64 = 0
    private(set) var listeners: [String] = []

    init(_ place: DaemonPlace, _ page: [UInt8]) {
        self.place = place
        look = TopLook(page)
        var scanner = JSONScanner(JSONPaths(Self.members.map(\.path)), textLimit: 4096)
        scanner.feed(page.span)
        for finding in scanner.found { Self.members[finding.path].take(&self, finding) }
    }

    private typealias Member = (path: StaticString, take: @Sendable (inout DaemonStatus, JSONFinding) -> Void)

    private static let members: [Member] = [
        ("configuration", { $0.configuration = $1.string ?? "" }),
        ("configured_at_us", { $0.configuredAt = $1.count ?? 0 }),
        ("database", { $0.database = $1.string ?? "" }),
        ("journal", { $0.journal = $1.string.flatMap(JournalKeeping.init) }),
        ("fault", { $0.fault = $1.string }),
        ("tcp_fault", { $0.tcpFault = $1.string }),
        ("access_fault", { $0.accessFault = $1.string }),
        ("cache.fault", { $0.cacheFault = $1.string }),
        ("audit_backlog", { $0.backlog = $1.count ?? 0 }),
        ("listeners[]", { $0.listeners.append($1.string ?? "") }),
    ]
}
