// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import MenshenCore

/// One of menshen's own pages: where it is, who may see it, and what each method does there.
struct AdminPage: Sendable, Equatable {
    enum Access: Sendable {
        /// Says nothing that is worth hiding.
        case everybody
        /// Over TCP a token, which sees its own requests only, or the page's password, which sees all. The Unix socket's
        /// user sees all.
        case signedIn
        /// Shows all, so no token will do: the Unix socket's user, and over TCP the page's password.
        case owners
        /// The Unix socket's user and root, who show no token. Nobody over TCP.
        case administrators
    }

    struct Action: Sendable {
        let method: RequestHead.Method
        /// Longest body that it reads, so small that its caller is not charged for it. 0: it reads none, and runs as soon as
        /// the head is there.
        let bodyLimit: Int
        let run: @Sendable (any AdminCaller, _ body: [UInt8]) throws(Problem) -> Void

        init(
            _ method: RequestHead.Method, bodyLimit: Int = 0,
            _ run: @escaping @Sendable (any AdminCaller, _ body: [UInt8]) throws(Problem) -> Void
        ) {
            precondition(bodyLimit <= BodyBudget.small, "a page reads more than may be kept without charge")
            self.method = method
            self.bodyLimit = bodyLimit
            self.run = run
        }
    }

    /// The first is its name, the others are what programs ask for by themselves.
    let paths: [String]
    let access: Access
    let actions: [Action]

    init(_ paths: String..., access: Access, _ actions: [Action]) {
        self.paths = paths
        self.access = access
        self.actions = actions
    }

    /// Programs ask for it again and again, or stay: who does nothing else does not keep menshen from stopping when idle.
    var isForOnlookers: Bool { self == .live || self == .changes }

    static func == (one: AdminPage, other: AdminPage) -> Bool { one.paths == other.paths }

    /// For `Allow`. What answers GET answers HEAD.
    var methods: String {
        actions.map { $0.method == .get ? "GET, HEAD" : $0.method.rawValue }.joined(separator: ", ")
    }

    func action(for method: RequestHead.Method) throws(Problem) -> Action {
        let asked = method == .head ? .get : method
        if let action = actions.first(where: { $0.method == asked }) { return action }
        let names = actions.map(\.method.rawValue).joined(separator: " and ")
        throw Problem(.methodNotAllowed, status: 405, "This page only answers \(names).")
    }
}

extension AdminPage {
    /// The page at a path; nil for everything that belongs to a provider.
    static func at(_ target: RequestTarget) -> AdminPage? {
        guard target.providerName == nil else { return nil }
        if let page = all.first(where: { $0.paths.contains(target.path) }) { return page }
        if target.path.hasPrefix("\(prefix)/ui/assets/") { return assets }
        if target.path == changes.paths[0] { return changes }
        if target.path.hasPrefix("\(prefix)/ui/") { return dashboard }
        return target.path.hasPrefix(prefix) ? unknown : nil
    }

    /// Below it nothing is a provider's.
    private static let prefix = "/_menshen"

    /// What stands there is menshen's, but nothing does.
    static let unknown = AdminPage(
        access: .signedIn,
        [
            Action(.get) { (_, _) throws(Problem) in
                let names = all.filter { $0.access != .administrators }.compactMap(\.paths.first).filter {
                    $0.hasPrefix(prefix)
                }
                .map { $0.dropFirst(prefix.count + 1) }
                throw Problem(
                    .notFound, status: 404,
                    "There is no such page. menshen's own are / and \(prefix)/{\(names.joined(separator: ","))}.")
            }
        ])
}
