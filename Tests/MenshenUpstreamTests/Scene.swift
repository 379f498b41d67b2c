// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

import Curl
import HTTP
import Linux
import Reactor
import TLS
import TestSupport
import Testing

@testable import MenshenUpstream

/// An engine, an endpoint and the provider it leads to, all on the test's thread, by a clock that the test turns. Nothing
/// waits: what has been said is there with the next turn.
final class Scene {
    private static let isPrepared = Result { try TransferEngine.prepareProcess() }

    let clock = ManualClock()
    let reactor: Reactor
    let engine: TransferEngine
    let endpoint: Endpoint
    private let directory = try? TemporaryDirectory()
    private let listener: UnixListener
    /// Over TCP the kernel tells what the provider has acknowledged.
    private var tcp: Int32?

    init(http2: Bool = false, tcp: Bool = false, _ change: (inout Endpoint.Settings) -> Void = { _ in }) throws {
        try Self.isPrepared.get()
        let path = try #require(directory).path("provider.sock")
        listener = try UnixListener.bind(path)
        reactor = try Reactor { [clock] in clock.now }
        engine = try TransferEngine(on: reactor, maxIdleConnections: 4)
        var settings = Endpoint.Settings(
            url: "http://provider", plainURL: "http://provider", host: "provider", hostName: "provider", tls: nil,
            socketPath: path, proxy: "", files: TLSFiles(),
            http2: false, keepsWarm: false, connectTimeoutMilliseconds: 10_000, firstByteTimeout: 600_000_000,
            gapTimeout: 300_000_000, totalTimeout: nil, maxIdleConnections: 4, usesLibcurl: false)
        if tcp {
            let descriptor = try TCPListener.bind("127.0.0.1", port: 0)
            self.tcp = descriptor
            settings.socketPath = nil
            settings.hostName = "127.0.0.1"
            let port = try TCPListener.port(of: descriptor)
            settings.url = "https://127.0.0.1:\(port)"
            settings.plainURL = "http://127.0.0.1:\(port)"
        }
        change(&settings)
        endpoint = try Endpoint(settings, http2: http2)
        reactor.endOfTurn = { [unowned engine] in engine.startWaiting() }
    }

    deinit {
        reactor.endOfTurn = nil
        engine.close()
        listener.remove()
        SocketIO.close(listener.descriptor)
        if let tcp { SocketIO.close(tcp) }
    }

    /// Turns the loop until there is something to be had.
    @discardableResult
    func until<T>(_ what: String = "what was waited for", _ find: () throws -> T?) throws -> T {
        for _ in 0..<20_000 {
            if let found = try find() { return found }
            try reactor.turn(mayWait: false)
        }
        throw TestFailure("\(what) did not come")
    }

    /// Does whatever can be done now.
    func settle() throws { for _ in 0..<20 { try reactor.turn(mayWait: false) } }

    /// Lets connect_timeout pass, which ends the transfer and not before.
    func passConnectTimeout(_ hearer: Hearer) throws {
        try settle()
        clock.turn(seconds: 9.9)
        try settle()
        #expect(!hearer.isOver)
        clock.turn(seconds: 0.2)
        try settle()
        #expect(hearer.failure?.reason == .connectTimeout)
    }

    /// The provider's end of the next connection.
    func accept() throws -> Wire {
        let descriptor = try until("a connection") { try SocketIO.accept(tcp ?? listener.descriptor) }
        if tcp != nil { SocketIO.setNoDelay(descriptor) }
        return Wire(descriptor)
    }

    func acceptsNothing() throws -> Bool {
        try settle()
        return try SocketIO.accept(tcp ?? listener.descriptor) == nil
    }

    /// A transfer that has been started.
    func ask(
        _ method: RequestHead.Method = .post, _ target: String = "/v1/chat", _ body: TransferBody = .whole([1, 2, 3]),
        _ hearer: Hearer
    ) throws -> any Transfer {
        let transfer = try engine.transfer(to: endpoint)
        transfer.headers.addHeader("Authorization: ", "Bearer key")
        try transfer.start(method: method, target: Array(target.utf8) + [0], body: body, receiver: hearer)
        hearer.transfer = transfer
        return transfer
    }
}

/// Writes down what a transfer brings.
final class Hearer: TransferReceiver {
    /// Held until the last call, as an exchange holds it.
    var transfer: (any Transfer)?
    private(set) var events: [String] = []
    private(set) var body: [UInt8] = []
    private(set) var failure: UpstreamFailure?
    private(set) var isOver = false
    var takesBody = true
    var room = Int.max
    /// What it does when it hears of an event.
    var onEvent: ((String) -> Void)?

    private func hear(_ event: String) {
        events.append(event)
        onEvent?(event)
    }

    func transferReceivedInterim(_ transfer: any Transfer) { hear("interim \(transfer.head.status)") }
    func transferReceivedHead(_ transfer: any Transfer) { hear("head \(transfer.head.status)") }

    func transferRoom(_ transfer: any Transfer) -> Int { room }

    func transferReceivedBody(_ transfer: any Transfer, _ bytes: UnsafeRawBufferPointer) -> Bool {
        guard takesBody else {
            hear("refused \(bytes.count)")
            return false
        }
        body += bytes
        hear("body")
        return true
    }

    func transferRepeats(_ transfer: any Transfer, _ reason: UpstreamFailure.Reason) {
        hear("repeats: \(reason.rawValue)")
    }

    func transferWantsBody(_ transfer: any Transfer) { hear("wants body") }

    func transferFinished(_ transfer: any Transfer, _ failure: UpstreamFailure?) {
        self.transfer = nil
        self.failure = failure
        isOver = true
        hear(failure.map { "failed: \($0.reason.rawValue)" } ?? "finished")
    }

    var text: String { String(decoding: body, as: UTF8.self) }
}

extension Wire {
    /// Reads a request with its body of `count` bytes; returns its head.
    func request(body count: Int = 3) throws -> String {
        let head = try #require(try read(through: "\r\n\r\n"))
        _ = try read(exactly: count)
        return String(decoding: head, as: UTF8.self)
    }
}
