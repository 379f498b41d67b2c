// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import MenshenCore
internal import MenshenStore

/// The pages there are, by path.
enum Route: Equatable {
    case overview, usage, log
    case request(RequestID)
    /// An id that can't be one.
    case noRequest(String)
    case sessions
    case session(String)
    case tokens, newToken
    case token(String)
    case editToken(String)
    case providers, live, system

    init?(_ path: [String]) {
        switch (path.first, path.count) {
        case (nil, _), ("overview", 1): self = .overview
        case ("usage", 1): self = .usage
        case ("log", 1): self = .log
        case ("requests", 2): self = RequestID(path[1]).map { .request($0) } ?? .noRequest(path[1])
        case ("sessions", 1): self = .sessions
        case ("sessions", 2): self = .session(path[1])
        case ("tokens", 1): self = .tokens
        case ("tokens", 2): self = .token(path[1])
        case (TokenForms.newPath, 1): self = .newToken
        case ("tokens", 3) where path[2] == "edit": self = .editToken(path[1])
        case ("providers", 1): self = .providers
        case ("live", 1): self = .live
        case ("system", 1): self = .system
        default: return nil
        }
    }

    /// Parameters beside those of time and filters.
    var own: [String] {
        switch self {
        case .overview: ["measure"]
        case .usage: ["by", "sort", "measure", "match", "cost"]
        case .log: ["before", "after", "q"]
        case .sessions: ["sort"]
        case .request: ["body"]
        case .newToken, .editToken: TokenForms.names
        default: []
        }
    }

    /// Parameters that take one of some words.
    var choices: [(name: String, words: [String])] {
        switch self {
        case .overview: [("measure", Measure.allCases.map(\.rawValue))]
        case .usage:
            [
                ("measure", Measure.allCases.map(\.rawValue)), ("by", Dimension.allCases.map(\.rawValue)),
                ("sort", UsagePage.Column.allCases.flatMap { ["-" + $0.rawValue, $0.rawValue] }),
                ("cost", ["all", "unpriced"]),
            ]
        case .sessions: [("sort", SessionsPage.Column.allCases.flatMap { ["-" + $0.rawValue, $0.rawValue] })]
        case .request: [("body", ["none", "request", "response"])]
        default: []
        }
    }

    var takesTime: Bool {
        switch self {
        case .overview, .usage, .log, .sessions: true
        default: false
        }
    }
    var takesFilters: Bool { takesTime }

    func page(_ context: PageContext) throws(StoreFault) -> Page {
        switch self {
        case .overview: try OverviewPage(context).page()
        case .usage: try UsagePage(context).page()
        case .log: try LogPageView(context).page()
        case .request(let id): try RequestPage.page(context, id)
        case .noRequest(let text): RequestPage.notThere(text)
        case .sessions: try SessionsPage(context).page()
        case .session(let name): try SessionPage(context, name).page()
        case .tokens: TokensPage.page(context)
        case .newToken: TokenForms.new(context)
        case .token(let name): try TokenPage(context, name).page()
        case .editToken(let name): TokenForms.edit(context, name)
        case .providers: try ProvidersPage(context).page()
        case .live: UnderWayPage.page(context.live, context.clock)
        case .system: SystemPage.page(context.live, context.clock, formToken: context.formToken)
        }
    }
}
