// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import HTTP
internal import Linux
internal import Reactor

/// One connection of the demo's provider: reads requests one after the other and answers each, a stream word by word.
final class DemoProviderConnection: ReadinessHandler, TimerHandler {
    /// A quick model's pace, in microseconds: slow enough to be seen, quick enough to keep the demo short.
    private static let pause: UInt64 = 35_000
    private static let bodyLimit = 1 << 20

    let fd: Int32
    private unowned let provider: DemoProvider
    private let reactor: Reactor
    private var parser = RequestParser()
    private var head: RequestHead?
    private var decoder: BodyDecoder?
    private var body: [UInt8] = []
    private var input: [UInt8] = []
    private var output: [UInt8] = []
    /// What is still to be said, the next piece first.
    private var pieces: ArraySlice<[UInt8]> = []
    private lazy var timer = Timer(self)
    private var isClosed = false

    init(_ fd: Int32, _ provider: DemoProvider, _ reactor: Reactor) {
        self.fd = fd
        self.provider = provider
        self.reactor = reactor
    }

    func ready(_ descriptor: Int32, _ readiness: Readiness) {
        if readiness.contains(.writable) { flush() }
        guard !isClosed, readiness.contains(.readable) || readiness.contains(.hangup) else { return }
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        switch buffer.withUnsafeMutableBytes({ SocketIO.read(fd, into: $0) }) {
        case .wouldBlock: return
        case .failed, .bytes(0): end()
        case .bytes(let count):
            input += buffer[..<count]
            // The answer under way comes first.
            if pieces.isEmpty { process() }
        }
    }

    private func process() {
        do throws(HTTPError) {
            while pieces.isEmpty {
                if head == nil {
                    guard case .head(let head, let used) = try parser.parse(input) else { return }
                    input.removeFirst(used)
                    decoder = try BodyDecoder(head.framing, limit: Self.bodyLimit)
                    self.head = head
                }
                guard try readBody(), let head else { return }
                self.head = nil
                answer(provider.judge(head, body))
                body = []
            }
        } catch {
            end()
        }
    }

    /// True once the body is whole.
    private func readBody() throws(HTTPError) -> Bool {
        var used = 0
        defer { input.removeFirst(used) }
        while true {
            switch try decoder?.next(in: input, from: used) {
            case .data(let range):
                body += input[range]
                used = range.upperBound
            case .needMore(let consumed):
                used = consumed
                return false
            case .end(let consumed):
                used = consumed
                return true
            case nil: return false
            }
        }
    }

    private func answer(_ answer: DemoAnswer) {
        pieces = answer.pieces[...]
        speak()
    }

    func timerFired(_ timer: Timer) {
        speak()
        if pieces.isEmpty, !isClosed { process() }
    }

    /// The next piece goes out now, the one after it a pause later.
    private func speak() {
        guard let piece = pieces.popFirst() else { return }
        output += piece
        flush()
        if !pieces.isEmpty, !isClosed { reactor.timers.set(timer, at: reactor.now + Self.pause) }
    }

    private func flush() {
        while !output.isEmpty {
            switch output.withUnsafeBytes({ SocketIO.write(fd, $0) }) {
            case .bytes(let count): output.removeFirst(count)
            case .wouldBlock: return reactor.want(fd, [.readable, .writable])
            case .failed: return end()
            }
        }
        reactor.want(fd, .readable)
    }

    private func end() {
        close()
        provider.forget(self)
    }

    /// Once; the provider forgets it afterwards.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        reactor.timers.cancel(timer)
        reactor.deregister(fd)
        SocketIO.close(fd)
    }
}

// Of whole arrays: the optimiser does not take a property's span where the call may throw (Swift 6.3).
extension RequestParser {
    fileprivate mutating func parse(_ input: [UInt8]) throws(HTTPError) -> Outcome {
        try parse(input.span, limit: 64 << 10)
    }
}

extension BodyDecoder {
    mutating func next(in input: [UInt8], from start: Int) throws(HTTPError) -> Step {
        try next(input.span, from: start)
    }
}
