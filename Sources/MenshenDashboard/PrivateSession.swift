// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
package import Linux
internal import MenshenCore
internal import MenshenDaemon
internal import MenshenPages
internal import Synchronization

/// The web server of `menshen dashboard`: for one browser of this user on this machine, as long as the command runs. Its threads
/// take one connection each, with one request, and wait for the daemon meanwhile.
package final class PrivateSession: Sendable {
    /// A browser opens six connections to one server at most.
    private static let threadCount = 8
    /// Pages that follow what goes on have a thread each; the others are for pages that are asked for.
    private static let mostFollowers = 4
    /// For a browser that has connected and says nothing, and for one that takes nothing. Seconds.
    private static let patience = 10
    /// For a page; a report of millions of requests may take a while. Seconds.
    private static let pagePatience = 60
    private static let headLimit = 32 << 10
    /// What menshen's administration reads at most.
    private static let bodyLimit = 16 << 10

    private let listener: Int32
    private let socket: String
    private let advice: @Sendable (any Error) -> String
    private let door: Mutex<Door>
    private let opened = ThreadSignal()
    private let followers = Atomic<Int>(0)
    package let link: String
    /// The kernel tells who connects, so that other users of this machine get nothing.
    package let knowsPeers: Bool

    /// Listens; `port` 0 takes any free one. `socket`: the daemon's. `advice`: what to say, in a page, of one that does not
    /// answer.
    package init(
        port: UInt16, socket: String, advice: @escaping @Sendable (any Error) -> String
    ) throws {
        listener = try TCPListener.bind("127.0.0.1", port: port)
        self.socket = socket
        self.advice = advice
        let uid = PeerIdentity.ownUID
        let user = try? Accounts.user(uid)?.name
        let door = Door(
            port: try TCPListener.port(of: listener), sign: Door.Sign(user: user ?? "user \(uid)", host: HostName.own),
            now: Clock.monotonic())
        link = door.link
        self.door = Mutex(door)
        knowsPeers = (try? FileReading.bytes("/proc/net/tcp", limit: 64 << 20)) != nil
    }

    deinit { SocketIO.close(listener) }

    // MARK: Running

    /// Serves until `stop`; threads have all signals blocked. Returns when they run.
    package func start() throws(SystemError) -> [NamedThread] {
        var threads: [NamedThread] = []
        for index in 0..<Self.threadCount {
            threads.append(try NamedThread("browser-\(index)") { [self] in serve() })
        }
        return threads
    }

    package func stop() { SocketIO.stopListening(listener) }

    /// Waits so many microseconds, or until the link has been used.
    package func wait(_ time: UInt64) { opened.wait(time) }
    package var isOpened: Bool { door.withLock(\.isOpened) }
    /// The link was not used in its time: nobody can come in any more.
    package var isForgotten: Bool { door.withLock { $0.isForgotten(now: Clock.monotonic()) } }

    private func serve() {
        while let connection = try? BlockingConnection.accept(on: listener, patience: Self.patience) {
            if Self.mayEnter(LoopbackPeer.find(connection.descriptor)) { serve(connection) }
        }
    }

    /// Root may do everything anyway, and what forwards a browser's connection from outside of a virtual machine is root.
    private static func mayEnter(_ peer: LoopbackPeer) -> Bool {
        switch peer {
        case .user(let uid): uid == PeerIdentity.ownUID || uid == 0
        case .unknown: true
        case .gone: false
        }
    }

    private func serve(_ connection: borrowing BlockingConnection) {
        do throws(HTTPError) {
            guard let (head, body) = try read(connection) else { return }
            let page: PageAnswer
            switch judge(head, body) {
            case .answer(let answer): page = answer
            case .page(let target): page = self.page(target)
            case .form(let post): page = perform(post)
            case .clearCache: page = clearCache()
            case .changes: return follow(connection)
            }
            connection.finish(Self.bytes(page, isHead: head.method == .head))
        } catch {
            let fault = LonePages.fault(
                status: error.status, title: "Not understood", message: error.explanation, version: Version.text)
            connection.finish(Self.bytes(fault, isHead: false))
        }
    }

    // MARK: A request

    /// nil: nothing came, or not all of it.
    private func read(_ connection: borrowing BlockingConnection) throws(HTTPError) -> (RequestHead, [UInt8])? {
        var parser = RequestParser()
        var input: [UInt8] = []
        var head: RequestHead?
        while head == nil {
            let bytes = connection.read()
            if bytes.isEmpty { return nil }
            input += bytes
            if case .head(let found, let used) = try parser.parse(input.span, limit: Self.headLimit) {
                head = found
                input.removeFirst(used)
            }
        }
        guard let head else { return nil }
        var decoder = try BodyDecoder(head.framing, limit: Self.bodyLimit)
        var body: [UInt8] = []
        while true {
            var used = 0
            decoding: while true {
                switch try decoder.next(input.span, from: used) {
                case .data(let range):
                    body += input[range]
                    used = range.upperBound
                case .needMore: break decoding
                case .end: return (head, body)
                }
            }
            input = connection.read()
            if input.isEmpty { return nil }
        }
    }

    private func judge(_ head: RequestHead, _ body: [UInt8]) -> Door.Verdict {
        let (verdict, isNews) = door.withLock { door in
            let wasOpened = door.isOpened
            let verdict = door.judge(head, body, now: Clock.monotonic())
            return (verdict, door.isOpened != wasOpened)
        }
        if isNews { opened.post() }
        return verdict
    }

    private func page(_ target: String) -> PageAnswer {
        do {
            let formToken = door.withLock(\.formToken.text)
            let answer = try AdminClient.get(
                target, ["Accept: text/html", "X-Menshen-Form: \(formToken)"], socket: socket,
                patience: Self.pagePatience)
            return try PageAnswer(relayed: answer)
        } catch {
            return unanswered(error)
        }
    }

    /// Hands on the daemon's events until either end leaves.
    private func follow(_ connection: borrowing BlockingConnection) {
        defer { followers.subtract(1, ordering: .relaxed) }
        guard followers.add(1, ordering: .relaxed).newValue <= Self.mostFollowers else {
            let words = "\(Self.mostFollowers) pages of this session follow what goes on already; close one of them.\n"
            let refusal = PageAnswer(status: 503, contentType: "text/plain; charset=utf-8", body: Array(words.utf8))
            return connection.finish(Self.bytes(refusal, isHead: false))
        }
        do {
            let source = try AdminConnection(socket: socket)
            let answer = try source.begin(AdminClient.changes, ["Accept: text/event-stream"])
            let isStream = answer.status == 200
            var page = try PageAnswer(relayed: answer)
            page.fields.append(("X-Accel-Buffering", "no"))
            guard connection.write(Self.bytes(page, isHead: false, isWhole: !isStream)) else { return }
            while isStream, let piece = source.next(beside: connection.descriptor) {
                guard connection.write(piece) else { return }
            }
            connection.finish([])
        } catch {
            connection.finish(Self.bytes(unanswered(error), isHead: false))
        }
    }

    private func perform(_ post: TokenPost) -> PageAnswer {
        if post.isUnconfirmed {
            return LonePages.notDone(
                status: 400, message: "To revoke the token, type its name, \(post.name), as it is written here.",
                mend: post.mend, version: Version.text)
        }
        do {
            let answer = try AdminClient.ask(
                socket: socket, "POST", AdminClient.tokens, as: "application/json", body: post.body)
            let token = AdminClient.texts(answer, JSONPaths(["token"]), limit: 1024)[0]
            guard let token else { return .seeOther(TokenForms.path(of: post.name)) }
            return LonePages.created(
                name: post.name, token: token, isRotated: post.act == .rotate, version: Version.text)
        } catch let refusal as AdminClient.Refusal {
            return LonePages.notDone(
                status: refusal.status, message: refusal.message, mend: post.mend, version: Version.text)
        } catch {
            return unanswered(error)
        }
    }

    private func clearCache() -> PageAnswer {
        do {
            _ = try AdminClient.clearCache(socket: socket)
            return .seeOther(CacheForm.place)
        } catch let refusal as AdminClient.Refusal {
            return LonePages.notDone(
                status: refusal.status, message: refusal.message, mend: CacheForm.place, version: Version.text)
        } catch {
            return unanswered(error)
        }
    }

    private func unanswered(_ error: any Error) -> PageAnswer {
        let advice = advice(error)
        return LonePages.fault(
            status: 503, title: "menshen does not answer",
            message: "\(advice.prefix(1).uppercased())\(advice.dropFirst()) Then reload this page.",
            version: Version.text)
    }

    // MARK: An answer

    /// `isWhole`: what follows ends with the connection otherwise.
    private static func bytes(_ answer: PageAnswer, isHead: Bool, isWhole: Bool = true) -> [UInt8] {
        var lines = ["HTTP/1.1 \(answer.status) \(StatusText.of(answer.status))"]
        // No other page may load anything from here, not even one of the same machine.
        var fields = answer.allFields + [("Cross-Origin-Resource-Policy", "same-origin"), ("Connection", "close")]
        if isWhole { fields.append(("Content-Length", "\(answer.body.count)")) }
        lines += fields.map { "\($0.name): \($0.value)" }
        return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + (isHead ? [] : answer.body)
    }
}

extension PageAnswer {
    /// Of what the daemon's answer says, only what a page has. Throws for one that was cut off.
    fileprivate init(relayed answer: AdminClient.Answer) throws {
        if let length = answer["content-length"], length != "\(answer.body.count)" {
            throw AdminClient.Fault(description: "menshen has ended before its answer was whole.")
        }
        self.init(
            status: answer.status, contentType: answer["content-type"] ?? "application/octet-stream", body: answer.body)
        for name in ["Cache-Control", "Content-Disposition", "Location"] {
            if let value = answer[name.lowercased()] { fields.append((name, value)) }
        }
    }
}
