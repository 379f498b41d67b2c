// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import MenshenCore
internal import MenshenDaemon
internal import MenshenPages

/// Which of a browser's requests are let through. The link of the terminal is good for one session; its cookie opens the
/// dashboard's pages and their forms, and nothing else of menshen's: what a browser holds can spend no key.
struct Door: Sendable {
    enum Verdict {
        /// Said here, without asking the daemon.
        case answer(PageAnswer)
        /// The daemon's page at a target.
        case page(String)
        /// Its events, as they come.
        case changes
        case form(TokenPost)
        case clearCache
    }

    /// Who opens what, for the page behind the link.
    struct Sign: Sendable {
        let user: String
        let host: String
    }

    /// How long the link is good for. Microseconds.
    static let linkLifetime: UInt64 = 120_000_000
    private static let linkPath = "/open/"
    private static let pages = "/_menshen/ui"

    private let port: UInt16
    private let sign: Sign
    private let linkEnds: UInt64
    private let code = SessionSecret()
    private let cookie = SessionSecret()
    /// Stands in every form, so that no other page can send one.
    let formToken = SessionSecret()
    /// The link has been used.
    private(set) var isOpened = false

    /// `now`: monotonic microseconds, here and below.
    init(port: UInt16, sign: Sign, now: UInt64) {
        self.port = port
        self.sign = sign
        linkEnds = now + Self.linkLifetime
    }

    var link: String { "http://127.0.0.1:\(port)\(Self.linkPath)\(code.text)" }
    private var cookieName: String { "menshen-\(port)" }

    /// Nobody can come in any more.
    func isForgotten(now: UInt64) -> Bool { !isOpened && now >= linkEnds }

    // MARK: Judging

    mutating func judge(_ head: RequestHead, _ body: [UInt8], now: UInt64) -> Verdict {
        guard let host = head.host.map({ head.text($0).lowercased() }), isOwn(host) else { return .answer(foreignHost) }
        switch head.method {
        case .get, .head: break
        case .post where isFromOwnPage(head, host): break
        case .post: return .answer(Self.foreignPage)
        default: return .answer(Self.otherMethod)
        }
        let isPost = head.method == .post
        let path = head.text(head.path)
        let query = head.query.map(head.text)
        // The daemon would refuse the same.
        guard RequestTarget(path: path, query: query, providerNames: []) != nil else { return .answer(Self.nothing) }
        if path.hasPrefix(Self.linkPath) {
            return .answer(judgeLink(path.dropFirst(Self.linkPath.count), isPost: isPost, now: now))
        }
        if !isPost, let asset = Assets.answer(Self.below(path) ?? []) { return .answer(asset) }
        guard isSignedIn(head) else { return .answer(LonePages.noSession(version: Version.text)) }
        if isPost { return judgeForm(head, path, body) }
        if path == "/" { return .answer(.seeOther(Self.pages + "/")) }
        guard path == Self.pages || path.hasPrefix(Self.pages + "/") else { return .answer(Self.nothing) }
        if path == AdminClient.changes, head.method == .get { return .changes }
        return .page(path + (query.map { "?" + $0 } ?? ""))
    }

    private mutating func judgeLink(_ shown: Substring, isPost: Bool, now: UInt64) -> PageAnswer {
        guard code.isSame(as: shown), !isOpened, now < linkEnds else {
            return LonePages.used(host: sign.host, version: Version.text)
        }
        if !isPost {
            return LonePages.open(
                host: sign.host, user: sign.user, version: Version.text, action: Self.linkPath + code.text)
        }
        isOpened = true
        var answer = PageAnswer.seeOther(Self.pages + "/")
        answer.fields.append(
            ("Set-Cookie", "\(cookieName)=\(cookie.text); Path=/; HttpOnly; SameSite=Strict"))
        return answer
    }

    private func judgeForm(_ head: RequestHead, _ path: String, _ body: [UInt8]) -> Verdict {
        guard let type = head.first(.contentType),
            head.contains(Array("application/x-www-form-urlencoded".utf8), in: type)
        else { return .answer(Self.noForm) }
        let fields = PercentEncoding.pairs(String(decoding: body, as: UTF8.self))
        guard let shown = fields.last(where: { $0.name == TokenForms.Field.form })?.value, formToken.isSame(as: shown)
        else { return .answer(Self.foreignPage) }
        if Self.below(path) == CacheForm.path { return .clearCache }
        guard let post = TokenPost(Self.below(path) ?? [], fields) else { return .answer(Self.nothing) }
        return .form(post)
    }

    // MARK: What a request shows

    private func isOwn(_ host: String) -> Bool { host == "127.0.0.1:\(port)" || host == "localhost:\(port)" }

    /// A browser says where a form comes from; of two that contradict each other neither counts. Where the page asks for no
    /// referrer, Origin is "null", and so only what Sec-Fetch-Site says tells it from another page.
    private func isFromOwnPage(_ head: RequestHead, _ host: String) -> Bool {
        let site = head.first(.secFetchSite).map { head.text($0).lowercased() }
        let origin = head.first(.origin).map { head.text($0).lowercased() }
        if let site, site != "same-origin" { return false }
        switch origin {
        case "http://\(host)": return true
        case "null", nil: return site != nil
        default: return false
        }
    }

    private func isSignedIn(_ head: RequestHead) -> Bool {
        guard isOpened else { return false }
        return head.fields.contains { field in
            field.known == .cookie
                && head.text(field.value).split(separator: ";").contains { pair in
                    let pair = pair.drop { $0 == " " }
                    guard pair.hasPrefix(cookieName + "=") else { return false }
                    return cookie.isSame(as: pair.dropFirst(cookieName.count + 1))
                }
        }
    }

    /// The parts of a path below the dashboard's, decoded.
    private static func below(_ path: String) -> [String]? {
        guard path.hasPrefix(pages + "/") else { return nil }
        return path.dropFirst(pages.count + 1).split(separator: "/").map { PercentEncoding.decode($0) }
    }

    // MARK: Refusals

    /// Says nothing about this place: whoever asks so may have been led here by a name that means another machine.
    private var foreignHost: PageAnswer {
        LonePages.fault(
            status: 421, title: "Not this address",
            message: "The dashboard answers at http://127.0.0.1:\(port)/ only, as 'menshen dashboard' has printed it.",
            version: Version.text)
    }

    private static let foreignPage = LonePages.fault(
        status: 403, title: "Not from a page of this session",
        message:
            "A form is only taken from a page that this session has shown. Reload the page and send it again; after a new 'menshen dashboard', open its link first.",
        version: Version.text)

    private static let noForm = LonePages.fault(
        status: 415, title: "No form", message: "Only forms of the dashboard's pages are taken here.",
        version: Version.text)

    private static let nothing = LonePages.fault(
        status: 404, title: "Nothing is here",
        message: "This is the dashboard alone, at /_menshen/ui/. Programs ask menshen itself, over its Unix socket.",
        version: Version.text)

    private static let otherMethod: PageAnswer = {
        var answer = LonePages.fault(
            status: 405, title: "Not asked so", message: "The dashboard answers GET, and POST of its forms.",
            version: Version.text)
        answer.fields.append(("Allow", "GET, HEAD, POST"))
        return answer
    }()
}

extension PageAnswer {
    static func seeOther(_ path: String) -> PageAnswer {
        var answer = PageAnswer(status: 303, body: [])
        answer.fields = [("Location", path)]
        return answer
    }
}
