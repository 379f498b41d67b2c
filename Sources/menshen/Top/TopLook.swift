// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore

/// What `/_menshen/live` says at one moment.
struct TopLook {
    /// One under way.
    struct Request {
        var id = ""
        var state = ""
        /// Microseconds.
        var age: Int64 = 0
        var token: String?
        var uid: Int64?
        var client: String?
        var session: String?
        var model: String?
        var provider: String?
        var bytesOut: Int64 = 0
        /// Microseconds after it began.
        var firstByte: Int64?
        var inputTokens: Int64?
        /// So many at least have come.
        var outputTokens: Int64?

        /// As reports tell callers apart.
        var caller: String? { token ?? uid.map { "uid:\($0)" } }
    }

    struct Provider {
        var name = ""
        var health = ""
        var state = ""
        var active: Int64 = 0
        /// nil: as many as it likes.
        var places: Int64?
        var queued: Int64 = 0
        var limits: [Limit] = []
        /// Why its key can't be had.
        var keyTrouble: String?
        var failure: String?
    }

    /// What a provider has said of a key.
    struct Limit {
        var unit = ""
        var window: String?
        var whole: Int64?
        var left: Int64?
        /// Thousandths.
        var used: Int64?
        /// Milliseconds until it begins anew.
        var resets: Int64?
    }

    var version = ""
    var host = ""
    var pid: Int64 = 0
    var state = ""
    /// Microseconds since 1970.
    var time: Int64 = 0
    var faults: [String] = []
    /// Why the database of records is not in use.
    var databaseFault: String?
    /// Since the start.
    var ended: Int64 = 0
    var failed: Int64 = 0
    /// Some of them may not be listed.
    var open: Int64 = 0
    var requests: [Request] = []
    var providers: [Provider] = []
    var pots: [UsageBudgets.Pot] = []

    var queued: Int64 { providers.reduce(0) { $0 + $1.queued } }

    // MARK: Reading

    init(_ page: [UInt8]) {
        var scanner = JSONScanner(Self.paths, textLimit: 4096)
        scanner.feed(page.span)
        for finding in scanner.found { Self.members[finding.path].take(&self, finding) }
        pots = UsageBudgets.read(page).pots
    }

    private typealias Member = (path: StaticString, take: @Sendable (inout TopLook, JSONFinding) -> Void)

    private static let paths = JSONPaths(members.map(\.path))

    private static let members: [Member] = ofPage + ofRequests + ofProviders

    private static let ofPage: [Member] = [
        ("version", { $0.version = $1.string ?? "" }),
        ("host", { $0.host = $1.string ?? "" }),
        ("pid", { $0.pid = $1.count ?? 0 }),
        ("state", { $0.state = $1.string ?? "" }),
        ("time_us", { $0.time = $1.count ?? 0 }),
        ("faults[]", { $0.faults.append($1.string ?? "") }),
        ("database_fault", { $0.databaseFault = $1.string }),
        ("requests_ended", { $0.ended = $1.count ?? 0 }),
        ("requests_failed", { $0.failed = $1.count ?? 0 }),
        ("requests_open", { $0.open = $1.count ?? 0 }),
    ]

    private static let ofRequests: [Member] = [
        ("requests[].id", { $0.requests.append(Request(id: $1.string ?? "")) }),
        ("requests[].state", { look, it in look.request { $0.state = it.string ?? "" } }),
        ("requests[].age_us", { look, it in look.request { $0.age = it.count ?? 0 } }),
        ("requests[].token", { look, it in look.request { $0.token = it.string } }),
        ("requests[].uid", { look, it in look.request { $0.uid = it.count } }),
        ("requests[].client", { look, it in look.request { $0.client = it.string } }),
        ("requests[].session", { look, it in look.request { $0.session = it.string } }),
        ("requests[].model", { look, it in look.request { $0.model = it.string } }),
        ("requests[].provider", { look, it in look.request { $0.provider = it.string } }),
        ("requests[].bytes_out", { look, it in look.request { $0.bytesOut = it.count ?? 0 } }),
        ("requests[].first_byte_us", { look, it in look.request { $0.firstByte = it.count } }),
        ("requests[].input_tokens", { look, it in look.request { $0.inputTokens = it.count } }),
        ("requests[].output_tokens_least", { look, it in look.request { $0.outputTokens = it.count } }),
    ]

    private static let ofProviders: [Member] = [
        ("providers[].name", { $0.providers.append(Provider(name: $1.string ?? "")) }),
        ("providers[].health", { look, it in look.provider { $0.health = it.string ?? "" } }),
        ("providers[].state", { look, it in look.provider { $0.state = it.string ?? "" } }),
        ("providers[].active", { look, it in look.provider { $0.active = it.count ?? 0 } }),
        ("providers[].places", { look, it in look.provider { $0.places = it.count } }),
        ("providers[].queued", { look, it in look.provider { $0.queued = it.count ?? 0 } }),
        (
            "providers[].key_trouble",
            { look, it in look.provider { ($0.keyTrouble, $0.failure) = (it.string, it.string) } }
        ),
        ("providers[].last_failure.reason", { look, it in look.provider { $0.failure = $0.failure ?? it.string } }),
        (
            "providers[].keys[].headroom[].unit",
            { look, it in look.provider { $0.limits.append(Limit(unit: it.string ?? "")) } }
        ),
        ("providers[].keys[].headroom[].window", { look, it in look.limit { $0.window = it.string } }),
        ("providers[].keys[].headroom[].limit", { look, it in look.limit { $0.whole = it.count } }),
        ("providers[].keys[].headroom[].remaining", { look, it in look.limit { $0.left = it.count } }),
        (
            "providers[].keys[].headroom[].utilization",
            { look, it in look.limit { $0.used = it.double.map { Int64(min(max($0, 0), 1000) * 1000) } } }
        ),
        ("providers[].keys[].headroom[].resets_in_ms", { look, it in look.limit { $0.resets = it.count } }),
    ]

    /// The last one that was begun.
    private mutating func request(_ change: (inout Request) -> Void) {
        if !requests.isEmpty { change(&requests[requests.count - 1]) }
    }

    private mutating func provider(_ change: (inout Provider) -> Void) {
        if !providers.isEmpty { change(&providers[providers.count - 1]) }
    }

    private mutating func limit(_ change: (inout Limit) -> Void) {
        provider { if !$0.limits.isEmpty { change(&$0.limits[$0.limits.count - 1]) } }
    }
}

extension TopLook.Provider {
    /// "5 h 37%, tokens 84%": of several keys the one that has used most.
    var limitsUsed: String {
        var used: [(title: String, share: Int64)] = []
        for limit in limits {
            guard let share = limit.share else { continue }
            let title = limit.title
            if let index = used.firstIndex(where: { $0.title == title }) {
                used[index].share = max(used[index].share, share)
            } else {
                used.append((title, share))
            }
        }
        return used.map { "\(ShownName.clean($0.title)) \(Figures.share($0.share, of: 1000))" }.joined(separator: ", ")
    }
}

extension TopLook.Limit {
    /// A subscription's is known by its window.
    fileprivate var title: String {
        if unit == Headroom.Unit.subscription.rawValue, let window { return window }
        return unit.split(separator: "_").joined(separator: " ")
    }

    fileprivate var share: Int64? {
        if let used { return used }
        guard let whole, let left, whole > 0 else { return nil }
        return max(0, whole - left) / max(1, whole / 1000)
    }
}
