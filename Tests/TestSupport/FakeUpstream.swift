// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The menshen authors

internal import CLinux
internal import Glibc
internal import Linux
internal import Synchronization

/// A provider that does what its script says, on threads of its own. `stop` reports what went wrong there.
package final class FakeUpstream: Sendable {
    package typealias Script = @Sendable (UpstreamCall) throws -> Void

    package enum Place: Sendable {
        case tcp
        case unix(String)
    }

    private struct State {
        var requests: [RecordedRequest] = []
        var failures: [String] = []
        var connections = 0
        var threads: [NamedThread] = []
    }

    /// What a provider's `base_url` says, without a version.
    package let baseURL: String
    /// 0 on a Unix socket.
    package let port: UInt16
    private let listener: Int32
    private let over: Signal
    private let readsBody: Bool
    private let script: Script
    private let state = Mutex(State())
    private let acceptor = Mutex<NamedThread?>(nil)

    /// `readsBody`: whether a request's body is read before its script runs.
    package init(_ place: Place = .tcp, readsBody: Bool = true, _ script: @escaping Script) throws {
        over = try Signal()
        self.readsBody = readsBody
        self.script = script
        var port: UInt16 = 0
        switch place {
        case .tcp:
            listener = clinux_listen_tcp("127.0.0.1", 0, 512)
            var text = [CChar](repeating: 0, count: 128)
            guard listener >= 0, clinux_socket_address(listener, 0, &text, text.count, &port) == 0 else {
                throw TestFailure("the fake provider cannot listen")
            }
            baseURL = "http://127.0.0.1:\(port)"
        case .unix(let path):
            listener = clinux_listen_unix(path, 512)
            guard listener >= 0 else { throw TestFailure("the fake provider cannot listen on \(path)") }
            baseURL = "unix://\(path):"
        }
        self.port = port
        let thread = try NamedThread("upstream") { [self] in accept() }
        acceptor.withLock { $0 = thread }
    }

    package var requests: [RecordedRequest] { state.withLock { $0.requests } }
    /// Connections it has accepted.
    package var connections: Int { state.withLock { $0.connections } }

    /// Ends every connection and throws the first failure of a script.
    package func stop() throws {
        guard
            let thread = acceptor.withLock({ acceptor in
                defer { acceptor = nil }
                return acceptor
            })
        else { return }
        over.raise()
        thread.join()
        for thread in state.withLock({ $0.threads }) { thread.join() }
        close(listener)
        if let failure = state.withLock({ $0.failures.first }) { throw TestFailure("at the provider: \(failure)") }
    }

    private func accept() {
        while true {
            var polls = [
                pollfd(fd: listener, events: Int16(POLLIN), revents: 0),
                pollfd(fd: over.descriptor, events: Int16(POLLIN), revents: 0),
            ]
            if poll(&polls, 2, -1) < 0 { continue }
            if polls[1].revents != 0 { return }
            let accepted = clinux_accept(listener)
            if accepted < 0 { continue }
            _ = clinux_set_nodelay(accepted)
            let number = state.withLock { state in
                state.connections += 1
                return state.connections - 1
            }
            do {
                let thread = try NamedThread("upstream-\(number)") { [self] in serve(accepted, number) }
                state.withLock { $0.threads.append(thread) }
            } catch {
                state.withLock { $0.failures.append("\(error)") }
            }
        }
    }

    private func serve(_ descriptor: Int32, _ connection: Int) {
        let wire = Wire(descriptor, cancel: over.descriptor)
        var number = 0
        while true {
            guard let call = next(wire, connection, number) else { return }
            do {
                try script(call)
            } catch Wire.Fault.cancelled {
                return
            } catch {
                state.withLock { $0.failures.append("\(error) at \(call.request.head.startLine)") }
                return
            }
            if !call.goesOn { return }
            number += 1
        }
    }

    /// nil when the connection ends, or the request on it breaks off.
    private func next(_ wire: Wire, _ connection: Int, _ number: Int) -> UpstreamCall? {
        do {
            guard let bytes = try wire.read(through: "\r\n\r\n") else { return nil }
            var request = RecordedRequest(head: try MessageHead(bytes))
            if readsBody { request.body = try UpstreamConnection.body(of: request.head, wire) }
            state.withLock { $0.requests.append(request) }
            return UpstreamCall(request, wire, connection: connection, number: number)
        } catch {
            return nil
        }
    }
}
