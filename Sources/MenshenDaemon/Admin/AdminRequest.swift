// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import MenshenCore
internal import MenshenStore

/// Who has asked for a page, as its actions see them: what they ask, and where the answer goes.
protocol AdminCaller: AnyObject {
    var head: RequestHead { get }
    /// The configuration is usable.
    var isWell: Bool { get }
    /// Answers with what `render` makes of the state of all workers and of those requests that the caller may see; it is
    /// gathered first, from other threads.
    func withStatus(_ requests: StatusSnapshot.Requests, _ render: @escaping (StatusSnapshot) -> LocalAnswer)
    /// What there is of the limits that concern the caller.
    var ownPots: ([PotState], ZoneRules) { get }
    /// What a scraper gets.
    func metrics(_ format: MetricText.Format) -> [UInt8]
    /// Requests that have ended since the start.
    var totals: RequestTally.Totals { get }
    /// That the caller has shown.
    var token: AccessToken? { get }
    func answer(page answer: LocalAnswer)
    /// Answers with the page of the dashboard that the target names.
    func showDashboard()
    /// Answers with events, as long as the caller is there.
    func followChanges()
    /// A parameter of the query.
    func query(_ name: String) -> String?
    /// Answers with what `render` makes of what came of an act, once every worker goes by it.
    func perform(_ act: TokenAct, _ render: @escaping (TokenOutcome) -> LocalAnswer) throws(Problem)
    /// … of all tokens that were ever given out.
    func withTokens(_ render: @escaping ([GivenToken]) throws(Problem) -> LocalAnswer)
    /// Throws all stored answers away; answers with what `render` makes of how many there were, once that is recorded.
    func clearCache(_ render: @escaping (Int) -> LocalAnswer) throws(Problem)
    /// Names of those in the configuration.
    var configuredTokens: [String] { get }
    var configuredProviders: [String] { get }
    /// Answers with what `render` makes once the act is recorded.
    func record(_ act: KeyAct, _ render: @escaping () -> LocalAnswer) throws(Problem)
}

/// One request to a page: finds its action, gathers the body that this reads, and runs it once.
final class AdminRequest {
    private let action: AdminPage.Action
    private var body: [UInt8] = []
    private var hasRun = false

    /// The body is awaited.
    var isGathering: Bool { !hasRun }

    init(_ page: AdminPage, _ method: RequestHead.Method) throws(Problem) {
        action = try page.action(for: method)
    }

    /// The head is there; `isWhole` if no body follows. A body that is not read is none's business, however long it is.
    func begin(isWhole: Bool, _ caller: any AdminCaller) throws(Problem) {
        if case .fixed(let length) = caller.head.framing, action.bodyLimit > 0 { try check(length) }
        if isWhole || action.bodyLimit == 0 { try run(caller) }
    }

    func receive(_ bytes: UnsafeRawBufferPointer) throws(Problem) {
        if hasRun { return }
        try check(body.count + bytes.count)
        body.append(contentsOf: bytes)
    }

    func bodyEnded(_ caller: any AdminCaller) throws(Problem) {
        if !hasRun { try run(caller) }
    }

    private func run(_ caller: any AdminCaller) throws(Problem) {
        hasRun = true
        try action.run(caller, body)
    }

    private func check(_ length: Int) throws(Problem) {
        if length <= action.bodyLimit { return }
        throw Problem(
            .requestTooLarge, status: 413, "This page reads at most \(action.bodyLimit) bytes of a request's body.")
    }
}
